import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE, WAIT_TYPE } from '../../assembly/shared/types';
import {
  FsRtlCancellableWaitForMultipleObjects,
  FsRtlCancellableWaitForSingleObject,
} from '../../src/io/cancellable';
import { type FileDevice, NtCreateFile, NtFsControlFile } from '../../src/io/file';
import { FsRtlEnterFileSystem, FsRtlExitFileSystem, KeAreApcsDisabled } from '../../src/ke/irql';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { Machine } from '../../src/machine/machine';
import { runGuest } from '../ke/guest';

test('FsRtlCancellableWaitForSingleObject fails with STATUS_THREAD_IS_TERMINATING when its thread is to end', async () => {
  const machine = await Machine.create();
  const seen: unknown[] = [];
  const event = machine.createEvent('notification');
  const process = machine.createProcess();
  const waiter = process.createThread(
    function* () {
      const device: FileDevice = {
        *fsControl() {
          seen.push(yield* FsRtlCancellableWaitForSingleObject(event, 0, null));
          seen.push(yield* FsRtlCancellableWaitForSingleObject(event, null, null));
          return STATUS.SUCCESS;
        },
      };
      const { handle } = yield* NtCreateFile(0x1f01ff, null, device, 'asynchronous');
      yield* NtFsControlFile(handle, 0, null, null, {}, 0);
      seen.push('back in user mode');
    },
    { userMode: true },
  );
  process.createThread(function* () {
    yield* KeDelayExecutionThread(MODE.KernelMode, false, -100_000);
    waiter.terminate(7);
  });
  machine.run();
  expect([seen, waiter.exitStatus]).toEqual([[STATUS.TIMEOUT, STATUS.THREAD_IS_TERMINATING], 7]);
});

test('FsRtlCancellableWaitForMultipleObjects is over with the object that is signaled', async () => {
  const { value } = await runGuest(function* (machine) {
    const events = [machine.createEvent('notification'), machine.createEvent('notification', true)];
    return yield* FsRtlCancellableWaitForMultipleObjects(
      events,
      WAIT_TYPE.WaitAny,
      null,
      null,
      null,
    );
  });
  expect(value).toBe(1);
});

test('FsRtlEnterFileSystem disables normal kernel APCs until FsRtlExitFileSystem', async () => {
  const { value } = await runGuest(function* () {
    FsRtlEnterFileSystem();
    const inside = KeAreApcsDisabled();
    yield* FsRtlExitFileSystem();
    return [inside, KeAreApcsDisabled()];
  });
  expect(value).toEqual([true, false]);
});
