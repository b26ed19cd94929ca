import { KSYSTEM, KTABLE } from '../../assembly/shared/layout';
import { Machine } from '../../src/machine/machine';
import type { MachineOptions } from '../../src/machine/options';
import type { KProcess } from '../../src/machine/views';

type Steps<T> = (process: KProcess, machine: Machine) => Generator<readonly number[], T, number>;

/** Runs a thread of a process of its own until nothing is left to do, and gives what it returned. */
async function runIn<T>(
  userMode: boolean,
  body: Steps<T>,
  options: MachineOptions,
): Promise<T | undefined> {
  const machine = await Machine.create(options);
  const process = machine.createProcess({ name: 'user' });
  let value: T | undefined;
  process.createThread(
    function* () {
      value = yield* body(process, machine);
    },
    { userMode },
  );
  const result = machine.run();
  if (result.reason === 'bugcheck') throw result.cause ?? new Error(result.explanation);
  return value;
}

/** In user mode: Nt services probe and check. */
export function runUser<T>(body: Steps<T>, options: MachineOptions = {}): Promise<T | undefined> {
  return runIn(true, body, options);
}

/** Code of the kernel in a user process. */
export function runKernel<T>(body: Steps<T>, options: MachineOptions = {}): Promise<T | undefined> {
  return runIn(false, body, options);
}

/** How many rows of the table of objects are in use. */
export function objectRows(machine: Machine): number {
  return machine.memory.u32(KSYSTEM.Address + KSYSTEM.ObjectTable + KTABLE.Count);
}
