import { describe, expect, test } from 'vitest';
import { KeFlushQueuedDpcs, KeRemoveQueueDpc } from '../../src/ke/dpc';
import { KeCancelTimer, KeSetTimer, KeSetTimerEx } from '../../src/ke/timer';
import { outcomes, type Stage } from './harness';
import { silent, states, wait } from './steps';

const oneTimer = ({ machine }: Stage) => ({ timer: machine.createTimer('synchronization') });

/** A timer, and a DPC that counts. */
function withDpc({ machine }: Stage) {
  const calls = { signalState: 0 };
  const dpc = machine.createDpc(() => {
    calls.signalState++;
  });
  return { timer: machine.createTimer('notification'), calls, dpc };
}

const shown = ({ timer, calls }: ReturnType<typeof withDpc>) => states({ timer, calls });

describe('a timer', () => {
  test('that is cancelled has expired, or never does: KeCancelTimer says which', async () => {
    const found = await outcomes({
      objects: oneTimer,
      threads: ({ timer }, { until }) => ({
        A: [silent(() => KeSetTimer(timer, until('expiry'), null))],
        B: [() => KeCancelTimer(timer)],
        C: [wait(timer)],
      }),
      moments: ['expiry'],
      state: states,
    });
    expect(found).toEqual(['A | B false | C SUCCESS | timer 0', 'A | B true | C … | timer 0']);
  });

  test('that is cancelled by two is cancelled by one', async () => {
    const found = await outcomes({
      objects: oneTimer,
      threads: ({ timer }, { until }) => ({
        A: [silent(() => KeSetTimer(timer, until('expiry'), null))],
        B: [() => KeCancelTimer(timer)],
        C: [() => KeCancelTimer(timer)],
      }),
      moments: ['expiry'],
      state: states,
    });
    expect(found).toEqual([
      'A | B false | C false | timer 1',
      'A | B false | C true | timer 0',
      'A | B true | C false | timer 0',
    ]);
  });

  test('that is set again expires once more only if it had expired', async () => {
    const found = await outcomes({
      objects: withDpc,
      threads: ({ timer, dpc }, { until }) => ({
        A: [
          () => KeSetTimer(timer, until('first'), dpc),
          () => KeSetTimer(timer, until('second'), dpc),
        ],
      }),
      moments: ['first', 'second'],
      state: shown,
    });
    expect(found).toEqual(['A false false | timer 1 calls 2', 'A false true | timer 1 calls 1']);
  });

  test('that is cancelled in time does not queue its DPC; one cancelled late has', async () => {
    const found = await outcomes({
      objects: withDpc,
      threads: ({ timer, dpc }, { until }) => ({
        A: [
          silent(() => KeSetTimer(timer, until('expiry'), dpc)),
          () => KeCancelTimer(timer),
          KeFlushQueuedDpcs,
        ],
      }),
      moments: ['expiry'],
      state: shown,
    });
    expect(found).toEqual(['A false | timer 1 calls 1', 'A true | timer 0 calls 0']);
  });

  test('cancelled and its DPC removed is over: what has not run by then does not', async () => {
    const found = await outcomes({
      objects: withDpc,
      threads: ({ timer, dpc, calls }, { until }) => ({
        A: [silent(() => KeSetTimer(timer, until('expiry'), dpc))],
        B: [
          function* () {
            const cancelled = yield* KeCancelTimer(timer);
            const removed = KeRemoveQueueDpc(dpc);
            yield* KeFlushQueuedDpcs();
            return [cancelled, removed, calls.signalState];
          },
        ],
      }),
      moments: ['expiry'],
      state: shown,
    });
    expect(found).toEqual([
      'A | B [false false 0] | timer 1 calls 1',
      'A | B [false false 1] | timer 1 calls 1',
      'A | B [true false 0] | timer 0 calls 0',
    ]);
  });

  test('that is periodic is there to cancel however often it has expired', async () => {
    const found = await outcomes({
      objects: withDpc,
      threads: ({ timer, dpc }, { until }) => ({
        A: [silent(() => KeSetTimerEx(timer, until('expiry'), 1000, dpc))],
        B: [() => KeCancelTimer(timer)],
        C: [wait(timer, () => until('timeout'))],
      }),
      moments: ['expiry', 'timeout'],
      state: shown,
    });
    expect(found).toEqual([
      'A | B false | C SUCCESS | timer 1 calls 1',
      'A | B false | C TIMEOUT | timer 1 calls 1',
      'A | B true | C SUCCESS | timer 1 calls 1',
      'A | B true | C TIMEOUT | timer 0 calls 0',
      'A | B true | C TIMEOUT | timer 1 calls 1',
    ]);
  });

  test('and a timeout at the same time end a wait by one of the two', async () => {
    const found = await outcomes({
      objects: oneTimer,
      threads: ({ timer }, { until }) => ({
        A: [silent(() => KeSetTimer(timer, until('expiry'), null))],
        B: [wait(timer, () => until('timeout'))],
        C: [wait(timer, () => until('timeout'))],
      }),
      moments: ['expiry', 'timeout'],
      state: states,
    });
    expect(found).toEqual([
      'A | B SUCCESS | C TIMEOUT | timer 0',
      'A | B TIMEOUT | C SUCCESS | timer 0',
      'A | B TIMEOUT | C TIMEOUT | timer 1',
    ]);
  });

  test('of either type lets one wait or all waits through', async () => {
    const found = await outcomes({
      objects: ({ machine }) => ({
        one: machine.createTimer('synchronization'),
        all: machine.createTimer('notification'),
      }),
      threads: ({ one, all }, { until }) => ({
        A: [
          silent(() => KeSetTimer(one, until('expiry'), null)),
          silent(() => KeSetTimer(all, until('expiry'), null)),
        ],
        B: [wait(all), wait(one)],
        C: [wait(all), wait(one)],
      }),
      moments: ['expiry'],
      state: states,
    });
    expect(found).toEqual([
      'A | B SUCCESS SUCCESS | C SUCCESS … | one 0 all 1',
      'A | B SUCCESS … | C SUCCESS SUCCESS | one 0 all 1',
    ]);
  });
});
