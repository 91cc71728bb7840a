/** `before` comes before `after`. Nodes are whole numbers. */
export interface Dependency {
  readonly before: number;
  readonly after: number;
}

/**
 * The nodes, each after all that it depends on, otherwise in their given order (Kahn 1962). Nodes that lie on a cycle, or behind
 * one, are in `cyclic` instead.
 */
export function topologicalOrder(
  nodes: readonly number[],
  dependencies: readonly Dependency[],
): { readonly order: readonly number[]; readonly cyclic: readonly number[] } {
  const order: number[] = [];
  let waiting = [...nodes];
  for (;;) {
    const blocked = new Set(
      dependencies.filter(({ before }) => waiting.includes(before)).map(({ after }) => after),
    );
    const free = waiting.filter((node) => !blocked.has(node));
    if (free.length === 0) return { order, cyclic: waiting };
    order.push(...free);
    waiting = waiting.filter((node) => blocked.has(node));
  }
}
