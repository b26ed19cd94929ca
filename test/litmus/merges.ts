/** Every order of steps of several threads, each thread's own in order: names, one a step. */
export function merges(counts: Readonly<Record<string, number>>): string[][] {
  const left = Object.entries(counts).filter(([, count]) => count > 0);
  if (left.length === 0) return [[]];
  return left.flatMap(([name, count]) =>
    merges({ ...counts, [name]: count - 1 }).map((rest) => [name, ...rest]),
  );
}

/** Every order of some names. */
export function permutations(names: readonly string[]): string[][] {
  return merges(Object.fromEntries(names.map((name) => [name, 1])));
}
