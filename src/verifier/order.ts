/** In which order things are taken while others are held: a circle is a deadlock that can happen. */

export interface Edge {
  readonly to: object;
  /** Who did it, and where, in words. */
  readonly text: string;
}

export class OrderGraph {
  private readonly edges = new Map<object, Map<object, Edge>>();

  /**
   * Notes that `to` was taken while `from` was held. `text` says so in words, and is asked for once.
   *
   * @returns the edges of the circle that this closes; undefined: none, or it is known already.
   */
  add(from: object, to: object, text: () => string): readonly Edge[] | undefined {
    if (from === to) return undefined;
    const known = this.edges.get(from) ?? new Map<object, Edge>();
    if (known.has(to)) return undefined;
    const edge = { to, text: text() };
    known.set(to, edge);
    this.edges.set(from, known);
    const back = this.path(to, from);
    return back === undefined ? undefined : [edge, ...back];
  }

  /** The edges from one to another. */
  private path(from: object, to: object): Edge[] | undefined {
    const reached = new Map<object, { readonly by: object; readonly edge: Edge } | undefined>([
      [from, undefined],
    ]);
    const queue = [from];
    for (let node = queue.shift(); node !== undefined && node !== to; node = queue.shift()) {
      for (const edge of this.edges.get(node)?.values() ?? []) {
        if (reached.has(edge.to)) continue;
        reached.set(edge.to, { by: node, edge });
        queue.push(edge.to);
      }
    }
    if (!reached.has(to)) return undefined;
    const path: Edge[] = [];
    for (let step = reached.get(to); step !== undefined; step = reached.get(step.by))
      path.unshift(step.edge);
    return path;
  }
}
