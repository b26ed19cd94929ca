import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { currentGuest } from '../../src/machine/guest';
import { ExGetPreviousMode } from '../../src/ke/mode';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { PROCESS_ACCESS } from '../../src/ps/access';
import { NtResumeThread, NtTerminateThread } from '../../src/ps/control-services';
import { NtCreateThreadEx, THREAD_CREATE_FLAGS } from '../../src/ps/create-services';
import { DLL_REASON } from '../../src/ps/image';
import { THREADINFOCLASS } from '../../src/ps/information-class';
import { LdrLoadDll, LdrUnloadDll } from '../../src/ps/load-services';
import { threadEnvironment } from '../../src/ps/loader';
import { processManager } from '../../src/ps/manager';
import { NtQueryInformationThread } from '../../src/ps/thread-query';
import { RtlCreateUserThread } from '../../src/ps/user-thread';
import { runUser } from './user';

const ALL = PROCESS_ACCESS.ALL_ACCESS;
const NOTHING = {
  address: true,
  skipThreadAttach: false,
  skipLoaderInit: false,
  loaderWorker: false,
  localStorage: false,
};

/** Loads two DLLs that note what they are told. */
function* load(machine: Parameters<typeof processManager>[0], note: (what: unknown) => void) {
  const { images } = processManager(machine);
  for (const name of ['a', 'b']) {
    images.describe(`C:\\${name}.dll`, {
      *dllMain(_base, reason) {
        yield* KeDelayExecutionThread(MODE.UserMode, false, 0);
        note(`${name} ${reason}`);
      },
    });
    yield* LdrLoadDll(`C:\\${name}.dll`);
  }
}

/** Runs a thread with flags to its end, and what its TEB said. */
function* run(flags: number, note: (what: unknown) => void) {
  const body = function* () {
    yield* KeDelayExecutionThread(MODE.UserMode, false, 0);
    const { address, ...environment } = threadEnvironment(currentGuest('test').thread);
    note({ ...environment, address: address !== 0 });
  };
  const made = yield* NtCreateThreadEx(ALL, null, -1, body, 0, flags, 0, 0, 0, null);
  yield* NtWaitForSingleObject(made.threadHandle, false, null);
  return made.threadHandle;
}

test('ps.thread-006: NtCreateThreadEx with SKIP_THREAD_ATTACH tells no DLL of the thread, and the TEB says so', async () => {
  const { seen } = await runUser(function* (machine, note) {
    yield* load(machine, note);
    yield* run(0, note);
    yield* run(THREAD_CREATE_FLAGS.SKIP_THREAD_ATTACH, note);
  });
  expect(seen).toEqual([
    `a ${DLL_REASON.PROCESS_ATTACH}`,
    `b ${DLL_REASON.PROCESS_ATTACH}`,
    `a ${DLL_REASON.THREAD_ATTACH}`,
    `b ${DLL_REASON.THREAD_ATTACH}`,
    { ...NOTHING, localStorage: true },
    `b ${DLL_REASON.THREAD_DETACH}`,
    `a ${DLL_REASON.THREAD_DETACH}`,
    { ...NOTHING, skipThreadAttach: true },
  ]);
});

test('the loader leaves threads alone that are its own, or that are made with SKIP_LOADER_INIT', async () => {
  const { seen } = await runUser(function* (machine, note) {
    yield* load(machine, note);
    yield* run(THREAD_CREATE_FLAGS.LOADER_WORKER, note);
    yield* run(THREAD_CREATE_FLAGS.SKIP_LOADER_INIT, note);
  });
  expect(seen.slice(2)).toEqual([
    { ...NOTHING, loaderWorker: true },
    { ...NOTHING, skipLoaderInit: true },
  ]);
});

test('NtCreateThreadEx hides a thread from debuggers', async () => {
  const { seen } = await runUser(function* (_, note) {
    const handle = yield* run(THREAD_CREATE_FLAGS.HIDE_FROM_DEBUGGER, () => {});
    const hidden = THREADINFOCLASS.ThreadHideFromDebugger;
    note((yield* NtQueryInformationThread(handle, hidden, 1)).HideFromDebugger);
  });
  expect(seen).toEqual([1]);
});

test('a thread that is terminated tells no DLL of its end; LdrUnloadDll tells the DLL', async () => {
  const { seen } = await runUser(function* (machine, note) {
    yield* load(machine, note);
    const body = function* () {
      yield* KeDelayExecutionThread(MODE.UserMode, false, -1e9);
    };
    const made = yield* NtCreateThreadEx(ALL, null, -1, body, 0, 0, 0, 0, 0, null);
    yield* KeDelayExecutionThread(MODE.UserMode, false, -100_000);
    yield* NtTerminateThread(made.threadHandle, 0);
    yield* NtWaitForSingleObject(made.threadHandle, false, null);
    const { baseAddress = 0 } = yield* LdrLoadDll('C:\\a.dll');
    note(yield* LdrUnloadDll(baseAddress));
  });
  expect(seen.slice(2)).toEqual([
    `a ${DLL_REASON.THREAD_ATTACH}`,
    `b ${DLL_REASON.THREAD_ATTACH}`,
    `a ${DLL_REASON.PROCESS_DETACH}`,
    STATUS.SUCCESS,
  ]);
});

test('RtlCreateUserThread makes a suspended thread with its parameter', async () => {
  const { seen } = await runUser(function* (_, note) {
    const body = function* (parameter: unknown) {
      yield* KeDelayExecutionThread(MODE.UserMode, false, 0);
      note([parameter, ExGetPreviousMode()]);
    };
    const made = yield* RtlCreateUserThread(-1, null, true, 0, 0, 0, body, 'parameter');
    note((yield* NtResumeThread(made.threadHandle)).previousSuspendCount);
    note(yield* NtWaitForSingleObject(made.threadHandle, false, null));
    note((yield* RtlCreateUserThread(0, null, true, 0, 0, 0, body, 0)).status);
  });
  expect(seen).toEqual([1, ['parameter', MODE.UserMode], STATUS.SUCCESS, STATUS.INVALID_HANDLE]);
});
