import { describe, expect, test } from 'vitest';
import { KeResetEvent, KeSetEvent } from '../../src/ke/ddi';
import { outcomes, type Stage } from './harness';
import { pulse, reset, set, states, wait, waitAny } from './steps';

const synchronization = ({ machine }: Stage) => ({
  event: machine.createEvent('synchronization'),
});
const notification = ({ machine }: Stage) => ({ event: machine.createEvent('notification') });

const twoEvents = ({ machine }: Stage) => ({
  first: machine.createEvent('synchronization'),
  second: machine.createEvent('synchronization'),
});

describe('KeSetEvent', () => {
  test('a wait ends by one KeSetEvent, whichever came first', async () => {
    const found = await outcomes({
      objects: synchronization,
      threads: ({ event }) => ({ A: [() => KeSetEvent(event, 0, false)], B: [wait(event)] }),
      state: states,
    });
    expect(found).toEqual(['A 0 | B SUCCESS | event 0']);
  });

  test('KeSetEvent of an event that is set is lost; of one that a thread waits for, never', async () => {
    const found = await outcomes({
      objects: synchronization,
      threads: ({ event }) => ({
        A: [() => KeSetEvent(event, 0, false), () => KeSetEvent(event, 0, false)],
        B: [wait(event)],
        C: [wait(event)],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A 0 0 | B SUCCESS | C SUCCESS | event 0',
      'A 0 1 | B SUCCESS | C … | event 0',
      'A 0 1 | B … | C SUCCESS | event 0',
    ]);
  });

  test('two threads that signal each other and then wait both go on', async () => {
    const found = await outcomes({
      objects: twoEvents,
      threads: ({ first, second }) => ({
        A: [set(first), wait(second)],
        B: [set(second), wait(first)],
      }),
      state: states,
    });
    expect(found).toEqual(['A SUCCESS | B SUCCESS | first 0 second 0']);
  });

  test('in a second round a signal can be lost to one that has not been taken', async () => {
    const found = await outcomes({
      objects: twoEvents,
      threads: ({ first, second }) => ({
        A: [set(first), wait(second), set(first), wait(second)],
        B: [set(second), wait(first), set(second), wait(first)],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A SUCCESS SUCCESS | B SUCCESS SUCCESS | first 0 second 0',
      'A SUCCESS SUCCESS | B SUCCESS … | first 0 second 0',
      'A SUCCESS … | B SUCCESS SUCCESS | first 0 second 0',
    ]);
  });

  test('a wait that times out has not taken the signal; one that has it succeeded', async () => {
    const found = await outcomes({
      objects: synchronization,
      threads: ({ event }, { until }) => ({
        A: [set(event)],
        B: [wait(event, () => until('timeout'))],
      }),
      moments: ['timeout'],
      state: states,
    });
    expect(found).toEqual(['A | B SUCCESS | event 0', 'A | B TIMEOUT | event 1']);
  });

  test('one signal ends one of two waits that may time out', async () => {
    const found = await outcomes({
      objects: synchronization,
      threads: ({ event }, { until }) => ({
        A: [set(event)],
        B: [wait(event, () => until('timeout'))],
        C: [wait(event, () => until('timeout'))],
      }),
      moments: ['timeout'],
      state: states,
    });
    expect(found).toEqual([
      'A | B SUCCESS | C TIMEOUT | event 0',
      'A | B TIMEOUT | C SUCCESS | event 0',
      'A | B TIMEOUT | C TIMEOUT | event 1',
    ]);
  });

  test('KeSetEvent of a notification event ends every wait that has begun or begins', async () => {
    const found = await outcomes({
      objects: notification,
      threads: ({ event }) => ({
        A: [set(event)],
        B: [wait(event)],
        C: [wait(event), wait(event)],
      }),
      state: states,
    });
    expect(found).toEqual(['A | B SUCCESS | C SUCCESS SUCCESS | event 1']);
  });

  test('KeResetEvent takes a signal back from a wait to come, never from one that has ended', async () => {
    const found = await outcomes({
      objects: synchronization,
      threads: ({ event }) => ({
        A: [set(event)],
        B: [() => KeResetEvent(event)],
        C: [wait(event)],
      }),
      state: states,
    });
    expect(found).toEqual(['A | B 0 | C SUCCESS | event 0', 'A | B 1 | C … | event 0']);
  });

  test('KeSetEvent and KeResetEvent of a notification event let some waits through', async () => {
    const found = await outcomes({
      objects: notification,
      threads: ({ event }) => ({
        A: [set(event), reset(event)],
        B: [wait(event)],
        C: [wait(event)],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A | B SUCCESS | C SUCCESS | event 0',
      'A | B SUCCESS | C … | event 0',
      'A | B … | C SUCCESS | event 0',
      'A | B … | C … | event 0',
    ]);
  });

  test('a wait for any of two takes the one whose signal came first, and leaves the other', async () => {
    const found = await outcomes({
      objects: twoEvents,
      threads: ({ first, second }) => ({
        A: [set(first)],
        B: [set(second)],
        C: [waitAny([first, second])],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A | B | C 0x1 | first 1 second 0',
      'A | B | C SUCCESS | first 0 second 1',
    ]);
  });
});

describe('KePulseEvent', () => {
  test('KePulseEvent wakes who waits, and misses who comes to wait', async () => {
    const found = await outcomes({
      objects: synchronization,
      threads: ({ event }) => ({ A: [pulse(event)], B: [wait(event)] }),
      state: states,
    });
    expect(found).toEqual(['A | B SUCCESS | event 0', 'A | B … | event 0']);
  });

  test('KePulseEvent of a notification event wakes those who wait, and no other', async () => {
    const found = await outcomes({
      objects: notification,
      threads: ({ event }) => ({ A: [pulse(event)], B: [wait(event)], C: [wait(event)] }),
      state: states,
    });
    expect(found).toEqual([
      'A | B SUCCESS | C SUCCESS | event 0',
      'A | B SUCCESS | C … | event 0',
      'A | B … | C SUCCESS | event 0',
      'A | B … | C … | event 0',
    ]);
  });

  test('KePulseEvent of a synchronization event wakes one', async () => {
    const found = await outcomes({
      objects: synchronization,
      threads: ({ event }) => ({ A: [pulse(event)], B: [wait(event)], C: [wait(event)] }),
      state: states,
    });
    expect(found).toEqual([
      'A | B SUCCESS | C … | event 0',
      'A | B … | C SUCCESS | event 0',
      'A | B … | C … | event 0',
    ]);
  });

  test('KePulseEvent takes back a signal that nobody has taken', async () => {
    const found = await outcomes({
      objects: synchronization,
      threads: ({ event }) => ({ A: [set(event)], B: [pulse(event)], C: [wait(event)] }),
      state: states,
    });
    expect(found).toEqual([
      'A | B | C SUCCESS | event 0',
      'A | B | C SUCCESS | event 1',
      'A | B | C … | event 0',
    ]);
  });
});
