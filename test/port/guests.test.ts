import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as port from 'ntps/port.js';
import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { MachineError } from '../../src/machine/errors';
import { Machine } from '../../src/machine/machine';
import type { PortModule } from '../../src/machine/port';
import type { KThread } from '../../src/machine/views';
import { assemblePort } from '../../src/port/assemble';
import { PortGuests } from '../../src/port/guests';
import { portState } from '../../src/port/state';
import { MS } from '../records';

const PRIMES = readFileSync(join(import.meta.dirname, '../../examples/port/primes.s'), 'utf8');

async function guestsOf(source: string) {
  const image = assemblePort(source);
  const guests = await PortGuests.open(port, { guestBytes: 4096, contexts: 8 });
  guests.load(image);
  const entry = image.entry;
  const create = (registers: Readonly<Record<string, number>> = {}) =>
    guests.create(portState({ entry, registers }));
  const word = (label: string) =>
    new DataView(guests.memory.buffer, guests.memory.byteOffset).getUint32(
      image.labels.get(label) as number,
      true,
    );
  return { guests, create, word };
}

test('a guest computes, makes system calls, and ends with its status', async () => {
  const { create } = await guestsOf(PRIMES);
  const machine = await Machine.create();
  const told: number[] = [];
  machine.onSystemCall(1, (_thread: KThread, prime: number) => {
    told.push(prime);
    return undefined;
  });
  const thread = machine.createProcess().createThread(create({ r1: 30 }));
  machine.run();
  expect(told).toEqual([2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
  expect([thread.state, thread.exitStatus]).toEqual([KTHREAD_STATE.Terminated, 10]);
});

test('a guest that is preempted at the end of its quantum computes the same in more turns', async () => {
  const { create } = await guestsOf(PRIMES);
  const profile = { clockIntervalNs: 500_000, timerResolutionNs: 500_000 };
  const alone = await Machine.create({ profile });
  const first = alone.createProcess().createThread(create({ r1: 20_000 }));
  alone.run();
  const machine = await Machine.create({ profile });
  const process = machine.createProcess();
  const threads = [1, 2, 3].map(() => process.createThread(create({ r1: 20_000 })));
  machine.run();
  const seen = [first, ...threads].map(({ exitStatus, runTimeNs }) => [exitStatus, runTimeNs]);
  expect(seen).toEqual([seen[0], seen[0], seen[0], seen[0]]);
  expect([first, ...threads].map((thread) => thread.contextSwitches)).toEqual([1, 6, 6, 6]);
});

describe('a system call', () => {
  const CALLER = `
    start:  syscall 1, r1
            status r2
            li r3, answer
            sw r2, [r3]
            halt r0
    answer: .word 0`;

  test('waits, and its status is that of the wait', async () => {
    const { create, word } = await guestsOf(CALLER);
    const machine = await Machine.create();
    const event = machine.createEvent('notification');
    machine.onSystemCall(1, function* () {
      return yield* KeWaitForSingleObject(
        ...([event, KWAIT_REASON.UserRequest, MODE.UserMode, false, -50_000n] as const),
      );
    });
    const thread = machine.createProcess().createThread(create());
    machine.run({ until: 2 * MS });
    expect(thread.state).toBe(KTHREAD_STATE.Waiting);
    machine.run();
    expect(word('answer')).toBe(STATUS.TIMEOUT);
  });

  test('lets the next thread run while it sleeps, with its argument', async () => {
    const { create } = await guestsOf(CALLER);
    const machine = await Machine.create();
    const log: unknown[] = [];
    machine.onSystemCall(1, function* (thread: KThread, ms: number) {
      yield* KeDelayExecutionThread(MODE.UserMode, false, BigInt(ms) * -10_000n);
      log.push(thread.name);
      return STATUS.SUCCESS;
    });
    const process = machine.createProcess();
    process.createThread(create({ r1: 60 }), { name: 'long' });
    process.createThread(create({ r1: 20 }), { name: 'short' });
    machine.run();
    expect(log).toEqual(['short', 'long']);
  });

  test('that nobody answers is STATUS_NOT_IMPLEMENTED', async () => {
    const { create, word } = await guestsOf(CALLER);
    const machine = await Machine.create();
    machine.createProcess().createThread(create());
    machine.run();
    expect(word('answer')).toBe(STATUS.NOT_IMPLEMENTED);
  });
});

describe('two threads on two processors', () => {
  const COUNTER = (increment: string) => `
    start:  li r2, counter
            li r3, 1
    again:  ${increment}
            addi r1, r1, -1
            bne r1, r0, again
            halt r0
    counter: .word 0`;

  async function countTwice(increment: string) {
    const { create, word } = await guestsOf(COUNTER(increment));
    const machine = await Machine.create({ processors: 2 });
    const process = machine.createProcess();
    for (let count = 0; count < 2; count++) process.createThread(create({ r1: 5000 }));
    machine.run();
    return { count: word('counter'), digest: machine.digest };
  }

  test('that add atomically lose nothing, and have one history', async () => {
    const runs = [await countTwice('aadd r4, [r2], r3'), await countTwice('aadd r4, [r2], r3')];
    expect(runs.map(({ count }) => count)).toEqual([10_000, 10_000]);
    expect(runs[0]?.digest).toBe(runs[1]?.digest);
  });

  test('that load and store lose some: races are the guests’', async () => {
    const { count } = await countTwice('lw r4, [r2]\n add r4, r4, r3\n sw r4, [r2]');
    expect(count).toBeLessThan(10_000);
  });
});

test('a fault ends its thread with its status, and the others go on', async () => {
  const { create } = await guestsOf('start: beq r1, r0, fine\nlw r2, [r1]\nfine: halt r0');
  const machine = await Machine.create();
  const process = machine.createProcess();
  const threads = [0x1000, 0].map((r1) => process.createThread(create({ r1 })));
  machine.run();
  expect(threads.map(({ exitStatus }) => exitStatus)).toEqual([STATUS.ACCESS_VIOLATION, 0]);
});

test('a guest computes in the time that its instructions take', async () => {
  const { create } = await guestsOf('start: addi r1, r1, -1\nbne r1, r0, start\nhalt r0');
  const machine = await Machine.create();
  const thread = machine.createProcess().createThread(create({ r1: 1_000_000 }));
  machine.run();
  // Its end takes 200 ns.
  expect(thread.runTimeNs).toBe(2_000_200);
});

describe('misuse is an error that says what to do', () => {
  const open = (options: object) => PortGuests.open(port as PortModule, options);

  test.each([
    [{ guestBytes: 2 }, 'guestBytes is 2'],
    [{ contexts: 0 }, 'contexts is 0'],
  ])('%o', async (options, message) => {
    await expect(open(options)).rejects.toThrow(message);
  });

  test('an image that does not fit', async () => {
    const guests = await open({ guestBytes: 4 });
    const image = assemblePort('nop\nnop', { name: 'two' });
    expect(() => guests.load(image)).toThrow(
      "'two' is 8 bytes at 0, and the guests have 4; raise guestBytes",
    );
  });

  test('more guests than there are contexts, and a context that is too long', async () => {
    const guests = await open({ contexts: 1 });
    expect(() => guests.create(new Uint32Array(121))).toThrow(MachineError);
    guests.create(portState());
    expect(() => guests.create(portState())).toThrow('there are 1 guests already; raise contexts');
  });

  test.each([
    [{ entry: 2 }, 'entry is 2; give a multiple of 4'],
    [{ registers: { r0: 1 } }, "'r0' is no register to begin with"],
    [{ registers: { r1: 2 ** 32 } }, 'registers.r1 is 4294967296'],
  ])('%o', (options, message) => {
    expect(() => portState(options)).toThrow(message);
  });
});
