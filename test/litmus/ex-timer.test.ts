import { describe, expect, test } from 'vitest';
import {
  ExAllocateTimer,
  ExCancelTimer,
  ExDeleteTimer,
  ExSetTimer,
  type ExTimer,
} from '../../src/ex/timer';
import { KeStallExecutionProcessor } from '../../src/ke/ddi';
import { outcomes, type Step } from './harness';

/** A timer whose callback takes a slot and a half, and what it has done. */
function oneTimer() {
  const shared = { calls: 0, running: 0, most: 0, deletes: 0 };
  function* callback() {
    shared.calls++;
    shared.running++;
    shared.most = Math.max(shared.most, shared.running);
    yield* KeStallExecutionProcessor(1500);
    shared.running--;
  }
  const DeleteCallback = () => {
    shared.deletes++;
  };
  let allocated: ExTimer | null = null;
  /** Only a thread can allocate it: the first that needs it does. */
  const timer = (): ExTimer => {
    allocated ??= ExAllocateTimer(callback, null, 0);
    return allocated as ExTimer;
  };
  const set =
    (due: () => number, period = 0): Step =>
    () =>
      ExSetTimer(timer(), due(), period, null);
  const cancel: Step = () => ExCancelTimer(timer(), null);
  /** Its outcome: whether it was cancelled; of one with Wait what had been called and was running when it returned. */
  const remove = (wait: boolean): Step =>
    function* () {
      const parameters = { DeleteCallback, DeleteContext: null };
      const cancelled = yield* ExDeleteTimer(timer(), true, wait, parameters);
      return wait ? [cancelled, shared.calls, shared.running, shared.deletes] : cancelled;
    };
  return { shared, set, cancel, remove };
}

const shown = ({ shared }: ReturnType<typeof oneTimer>) =>
  `calls ${shared.calls} running ${shared.running} deletes ${shared.deletes}`;

describe('ExDeleteTimer', () => {
  test('with Wait returns when nothing is called any more, and nothing is called later', async () => {
    const found = await outcomes({
      objects: oneTimer,
      threads: ({ set, remove }, { until }) => ({
        A: [set(() => until('expiry'))],
        B: [remove(true)],
      }),
      moments: ['expiry'],
      state: shown,
    });
    expect(found).toEqual([
      'A false | B [false 0 0 1] | calls 0 running 0 deletes 1',
      'A false | B [false 1 0 1] | calls 1 running 0 deletes 1',
      'A false | B [true 0 0 1] | calls 0 running 0 deletes 1',
    ]);
  });

  test('is done once, whoever else deletes or cancels the timer', async () => {
    const found = await outcomes({
      objects: oneTimer,
      threads: ({ set, cancel, remove }, { until }) => ({
        A: [set(() => until('expiry')), remove(true)],
        B: [remove(false)],
        C: [cancel],
      }),
      moments: ['expiry'],
      state: shown,
    });
    // Of [false 1 1 0] B has deleted it: a deletion that comes later does not wait.
    expect(found).toEqual([
      'A false [false 0 0 1] | B false | C false | calls 0 running 0 deletes 1',
      'A false [false 0 0 1] | B false | C true | calls 0 running 0 deletes 1',
      'A false [false 0 0 1] | B true | C false | calls 0 running 0 deletes 1',
      'A false [false 1 0 1] | B false | C false | calls 1 running 0 deletes 1',
      'A false [false 1 1 0] | B false | C false | calls 1 running 0 deletes 1',
      'A false [true 0 0 1] | B false | C false | calls 0 running 0 deletes 1',
    ]);
  });

  test('ends a periodic timer, whose callback never runs twice at one time', async () => {
    const found = await outcomes({
      objects: oneTimer,
      threads: ({ set, remove }, { until }) => ({
        A: [set(() => until('expiry'), 10_000), remove(true)],
      }),
      moments: ['expiry', 'later'],
      without: ['one processor'],
      state: ({ shared }) => `at once ${shared.most} running ${shared.running}`,
    });
    expect(found).toEqual([
      'A false [true 0 0 1] | at once 0 running 0',
      'A false [true 1 0 1] | at once 1 running 0',
      'A false [true 2 0 1] | at once 1 running 0',
      'A false [true 3 0 1] | at once 1 running 0',
    ]);
  });
});
