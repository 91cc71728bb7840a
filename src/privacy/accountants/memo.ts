/** Each argument is computed once. */
export function remember(compute: (k: number) => number): (k: number) => number {
  const known = new Map<number, number>();
  return (k) => {
    const value = known.get(k) ?? compute(k);
    known.set(k, value);
    return value;
  };
}
