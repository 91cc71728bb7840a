/**
 * What follows from plain data, computed once for each object and forgotten with it. States stay plain values that
 * can be written down, and a parsed key or a graph's adjacency is still not computed twice.
 */
export function memoize<Key extends object, Value>(compute: (key: Key) => Value): (key: Key) => Value {
  const known = new WeakMap<Key, { readonly value: Value }>();
  return (key) => {
    let found = known.get(key);
    if (found === undefined) known.set(key, (found = { value: compute(key) }));
    return found.value;
  };
}
