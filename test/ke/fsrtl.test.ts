import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE, WAIT_TYPE } from '../../assembly/shared/types';
import {
  FsRtlCancellableWaitForMultipleObjects,
  FsRtlCancellableWaitForSingleObject,
  FsRtlEnterFileSystem,
  FsRtlExitFileSystem,
} from '../../src/ke/fsrtl';
import { KeAreApcsDisabled } from '../../src/ke/irql';
import { systemService } from '../../src/ke/mode';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { Machine } from '../../src/machine/machine';
import type { KEvent, KThread } from '../../src/machine/views';
import { runGuest } from './guest';

test('FsRtlEnterFileSystem disables normal kernel APCs until FsRtlExitFileSystem', async () => {
  const { value } = await runGuest(function* () {
    FsRtlEnterFileSystem();
    const inside = KeAreApcsDisabled();
    yield* FsRtlExitFileSystem();
    return [inside, KeAreApcsDisabled()];
  });
  expect(value).toEqual([true, false]);
});

test('FsRtlCancellableWaitForSingleObject waits as KeWaitForSingleObject', async () => {
  const { value } = await runGuest(function* (machine) {
    const event = machine.createEvent('synchronization', true);
    return [
      yield* FsRtlCancellableWaitForSingleObject(event, null, null),
      yield* FsRtlCancellableWaitForSingleObject(event, -10, null),
    ];
  });
  expect(value).toEqual([STATUS.SUCCESS, STATUS.TIMEOUT]);
});

test.each([
  [
    'FsRtlCancellableWaitForSingleObject',
    (event: KEvent) => FsRtlCancellableWaitForSingleObject(event, null, null),
  ],
  [
    'FsRtlCancellableWaitForMultipleObjects',
    (event: KEvent) =>
      FsRtlCancellableWaitForMultipleObjects([event], WAIT_TYPE.WaitAny, null, null, null),
  ],
])('%s is cancelled by the end of its thread', async (_, wait) => {
  const machine = await Machine.create();
  const seen: number[] = [];
  const service = systemService('Service', function* (): Generator<
    readonly number[],
    void,
    number
  > {
    seen.push(yield* wait(machine.createEvent('notification')));
  });
  const process = machine.createProcess();
  const waiter: KThread = process.createThread(
    function* () {
      yield* service.nt();
    },
    { userMode: true },
  );
  machine.systemProcess.createThread(function* () {
    yield* KeDelayExecutionThread(MODE.KernelMode, false, -100_000);
    waiter.terminate(1);
  });
  machine.run();
  expect(seen).toEqual([STATUS.THREAD_IS_TERMINATING]);
  expect(waiter.exitStatus).toBe(1);
});
