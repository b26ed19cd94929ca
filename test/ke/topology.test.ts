import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KE_PROCESSOR_CHANGE_NOTIFY_STATE, MODE } from '../../assembly/shared/types';
import { KeSetSystemGroupAffinityThread } from '../../src/ke/affinity';
import { KeDelayExecutionThread } from '../../src/ke/time';
import {
  ALL_PROCESSOR_GROUPS,
  INVALID_PROCESSOR_INDEX,
  KE_PROCESSOR_CHANGE_ADD_EXISTING,
  KeDeregisterProcessorChangeCallback,
  KeGetCurrentNodeNumber,
  KeGetCurrentProcessorNumber,
  KeGetCurrentProcessorNumberEx,
  KeGetProcessorIndexFromNumber,
  KeGetProcessorNumberFromIndex,
  KeQueryActiveGroupCount,
  KeQueryActiveProcessorCount,
  KeQueryActiveProcessorCountEx,
  KeQueryActiveProcessors,
  KeQueryGroupAffinity,
  KeQueryHighestNodeNumber,
  KeQueryMaximumGroupCount,
  KeQueryMaximumProcessorCountEx,
  KeRegisterProcessorChangeCallback,
  type ProcessorCallbackFunction,
} from '../../src/ke/topology';
import { callGuest, runGuest } from './guest';

const { KeProcessorAddStartNotify, KeProcessorAddCompleteNotify, KeProcessorAddFailureNotify } = {
  KeProcessorAddStartNotify: KE_PROCESSOR_CHANGE_NOTIFY_STATE.KeProcessorAddStartNotify,
  KeProcessorAddCompleteNotify: KE_PROCESSOR_CHANGE_NOTIFY_STATE.KeProcessorAddCompleteNotify,
  KeProcessorAddFailureNotify: KE_PROCESSOR_CHANGE_NOTIFY_STATE.KeProcessorAddFailureNotify,
};

/** Groups of 3, 3 and 4; two nodes in the last. */
const TEN = { processors: 10, groupSize: 4, nodes: 4 };

describe('processors and groups', () => {
  test('counts and masks are of one group, or of all', async () => {
    const value = await callGuest(
      () => ({
        groups: [KeQueryActiveGroupCount(), KeQueryMaximumGroupCount()],
        counts: [0, 1, 2, 3, ALL_PROCESSOR_GROUPS].map(KeQueryActiveProcessorCountEx),
        maxima: [0, 2, 3, ALL_PROCESSOR_GROUPS].map(KeQueryMaximumProcessorCountEx),
        masks: [0, 2, 3].map(KeQueryGroupAffinity),
        first: [KeQueryActiveProcessors(), KeQueryActiveProcessorCount()],
        node: KeQueryHighestNodeNumber(),
      }),
      TEN,
    );
    expect(value).toEqual({
      groups: [3, 3],
      counts: [3, 3, 4, 0, 10],
      maxima: [3, 4, 0, 10],
      masks: [0b111n, 0b1111n, 0n],
      first: [0b111n, { count: 3, activeProcessors: 0b111n }],
      node: 3,
    });
  });

  test('a processor has an index in the system and a number in its group', async () => {
    const value = await callGuest(
      () => [
        KeGetProcessorNumberFromIndex(0),
        KeGetProcessorNumberFromIndex(7),
        KeGetProcessorNumberFromIndex(10),
        KeGetProcessorIndexFromNumber({ Group: 2, Number: 1 }),
        KeGetProcessorIndexFromNumber({ Group: 1, Number: 3 }),
        INVALID_PROCESSOR_INDEX,
      ],
      TEN,
    );
    expect(value).toEqual([
      { status: STATUS.SUCCESS, value: { Group: 0, Number: 0 } },
      { status: STATUS.SUCCESS, value: { Group: 2, Number: 1 } },
      { status: STATUS.INVALID_PARAMETER, value: undefined },
      7,
      0xffffffff,
      0xffffffff,
    ]);
  });

  test('ke.sched-006: the current processor is the one the thread runs on', async () => {
    const { value } = await runGuest(function* () {
      const before = KeGetCurrentProcessorNumberEx();
      yield* KeSetSystemGroupAffinityThread({ Mask: 0b1000n, Group: 2 });
      const after = [KeGetCurrentProcessorNumberEx(), KeGetCurrentProcessorNumber()];
      return [before, ...after, KeGetCurrentNodeNumber()];
    }, TEN);
    expect(value).toEqual([
      { index: 1, procNumber: { Group: 0, Number: 1 } },
      { index: 9, procNumber: { Group: 2, Number: 3 } },
      3,
      3,
    ]);
  });
});

describe('processor-change callbacks', () => {
  test('with ADD_EXISTING every processor starts, then every one is complete', async () => {
    const calls: (readonly [unknown, number, number])[] = [];
    const callback: ProcessorCallbackFunction = function* (context, { State, NtNumber }) {
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -1);
      calls.push([context, State, NtNumber]);
    };
    const { value } = await runGuest(
      function* () {
        const flags = KE_PROCESSOR_CHANGE_ADD_EXISTING;
        const registration = yield* KeRegisterProcessorChangeCallback(callback, 'mine', flags);
        if (registration !== null) KeDeregisterProcessorChangeCallback(registration);
        return registration?.registered;
      },
      { processors: 2 },
    );
    expect(value).toBe(false);
    expect(calls).toEqual([
      ['mine', KeProcessorAddStartNotify, 0],
      ['mine', KeProcessorAddStartNotify, 1],
      ['mine', KeProcessorAddCompleteNotify, 0],
      ['mine', KeProcessorAddCompleteNotify, 1],
    ]);
  });

  test('a veto tells those before it that it has failed, and registers nothing', async () => {
    const calls: (readonly [number, number, number])[] = [];
    const callback: ProcessorCallbackFunction = (_, change, operationStatus) => {
      calls.push([change.State, change.NtNumber, change.Status]);
      if (change.NtNumber === 2) operationStatus.value = STATUS.INSUFFICIENT_RESOURCES;
    };
    const { value } = await runGuest(
      function* () {
        const flags = KE_PROCESSOR_CHANGE_ADD_EXISTING;
        return yield* KeRegisterProcessorChangeCallback(callback, null, flags);
      },
      { processors: 4 },
    );
    expect(value).toBeNull();
    expect(calls).toEqual([
      [KeProcessorAddStartNotify, 0, 0],
      [KeProcessorAddStartNotify, 1, 0],
      [KeProcessorAddStartNotify, 2, 0],
      [KeProcessorAddFailureNotify, 0, STATUS.INSUFFICIENT_RESOURCES],
      [KeProcessorAddFailureNotify, 1, STATUS.INSUFFICIENT_RESOURCES],
    ]);
  });

  test('without the flag nothing is called', async () => {
    const { value } = await runGuest(function* () {
      const callback = () => {
        throw new Error('called');
      };
      return (yield* KeRegisterProcessorChangeCallback(callback, null, 0))?.registered;
    });
    expect(value).toBe(true);
  });
});
