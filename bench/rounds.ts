import { Bench } from 'tinybench';

/** One measurement: ms an operation. */
export type Task = () => number | Promise<number>;

/**
 * Runs every task once a round, one after the other, so that what else the machine does meets all of
 * them alike.
 *
 * @returns for each task the best of its rounds, ms an operation.
 */
export async function bestInTurn<Name extends string>(
  rounds: number,
  tasks: Readonly<Record<Name, Task>>,
): Promise<Record<Name, number>> {
  const best: Record<string, number> = {};
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({ iterations: 1, time: 0, warmup: false, throws: true });
    for (const [name, task] of Object.entries<Task>(tasks)) {
      const measure = async () => ({ overriddenDuration: await task() });
      bench.add(name, measure, { async: true });
    }
    await bench.run();
    for (const { name, result } of bench.tasks) {
      if (result.state !== 'completed') throw new Error(`${name} ended as '${result.state}'`);
      best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, result.latency.min);
    }
  }
  return best as Record<Name, number>;
}
