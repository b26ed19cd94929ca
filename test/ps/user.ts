import { Machine } from '../../src/machine/machine';
import type { MachineOptions } from '../../src/machine/options';
import type { KThread } from '../../src/machine/views';

export type UserBody = (
  machine: Machine,
  note: (what: unknown) => void,
  thread: KThread,
) => Generator<readonly number[], void, number>;

/** Runs a user-mode host thread of a process of its own until nothing is left to do; what it noted. */
export async function runUser(
  body: UserBody,
  options: MachineOptions = { processors: 1 },
): Promise<{ machine: Machine; thread: KThread; seen: unknown[] }> {
  const machine = await Machine.create(options);
  const seen: unknown[] = [];
  const process = machine.createProcess({ name: 'user' });
  const thread: KThread = process.createThread(
    function* () {
      yield* body(machine, (what) => seen.push(what), thread);
    },
    { userMode: true },
  );
  const result = machine.run();
  if (result.reason === 'bugcheck') throw result.cause ?? new Error(result.explanation);
  return { machine, thread, seen };
}
