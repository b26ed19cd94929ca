import { KSYSTEM, KTABLE } from '../../assembly/shared/layout';
import { Machine } from '../../src/machine/machine';
import type { MachineOptions } from '../../src/machine/options';
import type { RunResult } from '../../src/machine/result';
import type { KProcess } from '../../src/machine/views';

type Steps<T> = (process: KProcess, machine: Machine) => Generator<readonly number[], T, number>;

/** Runs a thread of a process of its own until nothing is left to do: what it returned, and why the run ended. */
async function runIn<T>(
  userMode: boolean,
  body: Steps<T>,
  options: MachineOptions,
): Promise<{ value: T | undefined; result: RunResult }> {
  const machine = await Machine.create(options);
  const process = machine.createProcess({ name: 'user' });
  let value: T | undefined;
  process.createThread(
    function* () {
      value = yield* body(process, machine);
    },
    { userMode },
  );
  return { result: machine.run(), value };
}

async function valueIn<T>(
  userMode: boolean,
  body: Steps<T>,
  options: MachineOptions,
): Promise<T | undefined> {
  const { result, value } = await runIn(userMode, body, options);
  if (result.reason === 'bugcheck') throw result.cause ?? new Error(result.explanation);
  return value;
}

/** In user mode: Nt services probe and check. */
export function runUser<T>(body: Steps<T>, options: MachineOptions = {}): Promise<T | undefined> {
  return valueIn(true, body, options);
}

/** Code of the kernel in a user process. */
export function runKernel<T>(body: Steps<T>, options: MachineOptions = {}): Promise<T | undefined> {
  return valueIn(false, body, options);
}

/** Code and first two parameters of the bugcheck that code of the kernel ends in. */
export async function bugCheckOf(
  body: Steps<unknown>,
): Promise<readonly [code: number, p1: bigint, p2: bigint] | undefined> {
  const { result } = await runIn(false, body, {});
  if (result.reason !== 'bugcheck') return undefined;
  const [p1, p2] = result.parameters;
  return [result.code, p1, p2];
}

/** How many rows of the table of objects are in use. */
export function objectRows(machine: Machine): number {
  return machine.memory.u32(KSYSTEM.Address + KSYSTEM.ObjectTable + KTABLE.Count);
}
