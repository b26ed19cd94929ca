import * as portModule from 'ntps/port.js';
import { expect, test } from 'vitest';
import type { LoadedPort } from '../../src/machine/ports';
import { Machine } from '../../src/machine/machine';
import type { CpuPort } from '../../src/machine/guest';
import type { KThread, ThreadOptions } from '../../src/machine/views';
import { assemblePort } from '../../src/port/assemble';
import { PortGuests } from '../../src/port/guests';
import { portState } from '../../src/port/state';
import { createMachine } from '../records';

const PORT_URL = new URL('../../build/port.js', import.meta.url);

/** Each thread computes, adds to a word that all share, and makes a system call; r1 differs. */
const IMAGE = assemblePort(`
  start: li   r2, total
         li   r5, 60
  round: li   r3, 200
  spin:  mul  r4, r4, r1
         addi r4, r4, 7
         addi r3, r3, -1
         bne  r3, r0, spin
         aadd r6, [r2], r1
         syscall 1, r6
         status r7
         add  r4, r4, r7
         addi r5, r5, -1
         bne  r5, r0, round
         li   r7, 13
         beq  r1, r7, faulty
         halt r4
  faulty: lw  r4, [r0 - 4]
  total: .word 0`);

/** What a thread is made of. */
type Body = readonly [body: CpuPort | LoadedPort, options: ThreadOptions];

/** What six threads of it come to on four processors. */
async function historyOf(machine: Machine, bodyOf: (state: Uint32Array) => Body) {
  const calls: unknown[] = [];
  machine.onSystemCall(1, (thread: KThread, argument: number) => {
    calls.push([thread.name, machine.now, argument]);
    return calls.length;
  });
  const process = machine.createProcess();
  const threads = [3, 5, 7, 9, 11, 13].map((r1) => {
    const [body, options] = bodyOf(portState({ entry: IMAGE.entry, registers: { r1 } }));
    return process.createThread(body, { ...options, name: `r1=${r1}` });
  });
  const { reason, now } = machine.run();
  const ends = threads.map(({ exitStatus, runTimeNs, contextSwitches }) => [
    exitStatus,
    runTimeNs,
    contextSwitches,
  ]);
  return { reason, now, digest: machine.digest, calls, ends };
}

async function historyOnWorkers(workers: number) {
  const machine = await createMachine({ processors: 4, workers });
  try {
    const port = await machine.loadPort({ url: PORT_URL });
    machine.guestMemory.bytes.set(IMAGE.bytes, IMAGE.origin);
    const history = await historyOf(machine, (state) => [port, { portState: state }]);
    return { ...history, memory: [...machine.guestMemory.bytes.subarray(0, 256)] };
  } finally {
    await machine.dispose();
  }
}

test('guests of the reference port have one history on any number of workers', async () => {
  const alone = await historyOnWorkers(0);
  expect([alone.reason, alone.calls.length]).toEqual(['idle', 360]);
  for (const workers of [1, 2, 3, 8]) expect(await historyOnWorkers(workers)).toEqual(alone);
});

test('guests whose machine is not theirs have the same history, as CpuPorts', async () => {
  const { memory, ...alone } = await historyOnWorkers(0);
  const guests = await PortGuests.open(portModule, { guestBytes: 65_536 });
  guests.load(IMAGE);
  const machine = await Machine.create({ processors: 4 });
  expect(await historyOf(machine, (state) => [guests.create(state), {}])).toEqual(alone);
  expect([...guests.memory.subarray(0, 256)]).toEqual(memory);
});

test('createThread refuses a portState that is no words, and makes no thread', async () => {
  const machine = await createMachine({});
  const port = await machine.loadPort({ url: PORT_URL });
  const process = machine.createProcess();
  const create = (portState: unknown) => () =>
    process.createThread(port, { portState: portState as number[] });
  expect(create(5)).toThrow('createThread: portState is 5; give an array of 32-bit words');
  expect(create([1, Number.NaN])).toThrow('createThread: portState[1] is NaN; give an integer');
  expect(process.threadCount).toBe(0);
});
