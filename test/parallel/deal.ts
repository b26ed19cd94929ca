import { Machine, type MachineOptions, WorkerPool } from '../../src/index';

/**
 * Gives every machine that is made from now on so many workers, on the core for workers: what is run,
 * has to come out the same.
 *
 * @returns what takes that back, and ends the workers.
 */
export function dealWorkers(workers: number): () => Promise<void> {
  const pool = new WorkerPool();
  const create = Machine.create.bind(Machine);
  const machines: Machine[] = [];
  Machine.create = async ({ core: _, ...options }: MachineOptions = {}) => {
    const machine = await create({ ...options, workers, workerPool: pool });
    machines.push(machine);
    return machine;
  };
  return async () => {
    Machine.create = create;
    await Promise.all(machines.map((machine) => machine.dispose()));
    await pool.dispose();
  };
}
