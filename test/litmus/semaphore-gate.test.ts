import { describe, expect, test } from 'vitest';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeReleaseSemaphore } from '../../src/ke/ddi';
import { KeSignalGateBoostPriority, KeWaitForGate } from '../../src/ke/queue';
import type { KGate } from '../../src/machine/queue';
import { outcomes, type Stage } from './harness';
import { named, release, set, silent, states, wait, waitAny } from './steps';

const semaphore =
  (count: number, limit: number) =>
  ({ machine }: Stage) => ({ semaphore: machine.createSemaphore(count, limit) });

describe('KeReleaseSemaphore', () => {
  test('every release of one ends one wait, whichever came first', async () => {
    const found = await outcomes({
      objects: semaphore(0, 9),
      threads: ({ semaphore: s }) => ({
        A: [release(s), release(s)],
        B: [wait(s)],
        C: [wait(s)],
      }),
      state: states,
    });
    expect(found).toEqual(['A | B SUCCESS | C SUCCESS | semaphore 0']);
  });

  test('a release of two ends two waits of three', async () => {
    const found = await outcomes({
      objects: semaphore(0, 9),
      threads: ({ semaphore: s }) => ({
        A: [release(s, 2)],
        B: [wait(s)],
        C: [wait(s)],
        D: [wait(s)],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A | B SUCCESS | C SUCCESS | D … | semaphore 0',
      'A | B SUCCESS | C … | D SUCCESS | semaphore 0',
      'A | B … | C SUCCESS | D SUCCESS | semaphore 0',
    ]);
  });

  test('KeReleaseSemaphore raises at the limit unless a wait has made room', async () => {
    const found = await outcomes({
      objects: semaphore(0, 1),
      threads: ({ semaphore: s }) => ({
        A: [() => KeReleaseSemaphore(s, 0, 1, false)],
        B: [() => KeReleaseSemaphore(s, 0, 1, false)],
        C: [wait(s)],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A 0 | B 0 | C SUCCESS | semaphore 1',
      'A 0 | B SEMAPHORE_LIMIT_EXCEEDED | C SUCCESS | semaphore 0',
      'A SEMAPHORE_LIMIT_EXCEEDED | B 0 | C SUCCESS | semaphore 0',
    ]);
  });

  test('a wait that times out leaves its count to the next', async () => {
    const found = await outcomes({
      objects: semaphore(0, 9),
      threads: ({ semaphore: s }, { until }) => ({
        A: [release(s)],
        B: [wait(s, () => until('timeout'))],
        C: [wait(s)],
      }),
      moments: ['timeout'],
      state: states,
    });
    expect(found).toEqual([
      'A | B SUCCESS | C … | semaphore 0',
      'A | B TIMEOUT | C SUCCESS | semaphore 0',
    ]);
  });

  test('a wait for any of a semaphore and an event takes one of the two', async () => {
    const found = await outcomes({
      objects: ({ machine }) => ({
        semaphore: machine.createSemaphore(0, 9),
        event: machine.createEvent('synchronization'),
      }),
      threads: ({ semaphore: s, event }) => ({
        A: [release(s)],
        B: [set(event)],
        C: [waitAny([event, s])],
        D: [wait(s)],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A | B | C 0x1 | D … | semaphore 0 event 1',
      'A | B | C SUCCESS | D SUCCESS | semaphore 0 event 0',
    ]);
  });
});

describe('gates', () => {
  const gate = ({ machine }: Stage) => ({ gate: machine.createGate() });
  const signal = (object: KGate) => silent(() => KeSignalGateBoostPriority(object));
  const waitForGate = (object: KGate) =>
    named(() => KeWaitForGate(object, KWAIT_REASON.WrGuardedMutex, MODE.KernelMode));

  test('KeWaitForGate ends by one KeSignalGateBoostPriority, whichever came first', async () => {
    const found = await outcomes({
      objects: gate,
      threads: ({ gate: g }) => ({ A: [signal(g)], B: [waitForGate(g)] }),
      state: states,
    });
    expect(found).toEqual(['A | B SUCCESS | gate 0']);
  });

  test('two signals let two waits through, unless the second met the first', async () => {
    const found = await outcomes({
      objects: gate,
      threads: ({ gate: g }) => ({
        A: [signal(g)],
        B: [signal(g)],
        C: [waitForGate(g)],
        D: [waitForGate(g)],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A | B | C SUCCESS | D SUCCESS | gate 0',
      'A | B | C SUCCESS | D … | gate 0',
      'A | B | C … | D SUCCESS | gate 0',
    ]);
  });
});
