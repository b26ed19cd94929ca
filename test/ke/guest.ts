import { NtYieldExecution } from '../../src/ke/time';
import { Machine } from '../../src/machine/machine';
import type { MachineOptions } from '../../src/machine/options';
import type { KThread } from '../../src/machine/views';

type Body<T> = (machine: Machine, thread: KThread) => Generator<readonly number[], T, number>;

/** Runs a host thread of the System process until nothing is left to do, and gives what it returned. */
export async function runGuest<T>(
  body: Body<T>,
  options: MachineOptions = {},
): Promise<{ machine: Machine; thread: KThread; value: T | undefined }> {
  const machine = await Machine.create(options);
  let value: T | undefined;
  const thread: KThread = machine.systemProcess.createThread(function* () {
    value = yield* body(machine, thread);
  });
  const result = machine.run();
  if (result.reason === 'bugcheck') throw result.cause ?? new Error(result.explanation);
  return { machine, thread, value };
}

/** The same of routines that neither block nor reschedule: what they come to. */
export async function callGuest<T>(
  body: (machine: Machine, thread: KThread) => T,
  options: MachineOptions = {},
): Promise<T | undefined> {
  const { value } = await runGuest(function* (machine, thread) {
    yield* NtYieldExecution();
    return body(machine, thread);
  }, options);
  return value;
}
