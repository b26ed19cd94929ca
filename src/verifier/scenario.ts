import { MODE } from '../../assembly/shared/types';
import { isGenerator, type Request } from '../machine/generator';
import { currentGuest, NtCall } from '../machine/guest';
import type { Machine } from '../machine/machine';
import { ddiTime, type KernelCode } from '../ke/mode';
import { KeDelayExecutionThread } from '../ke/time';
import { DUPLICATE, NtDuplicateObject } from '../ob/duplicate';
import { NtClose } from '../ob/handle';
import { NtWaitForSingleObject } from '../ob/services/wait';
import { PROCESS_ACCESS, THREAD_ACCESS } from '../ps/access';
import { processIdOf } from '../ps/cid';
import { NtTerminateProcess } from '../ps/control-services';
import { NtCreateThreadEx, NtCreateUserProcess } from '../ps/create-services';
import { notifyImage } from '../ps/image-notify';
import { LdrLoadDll } from '../ps/load-services';
import { processManager } from '../ps/manager';
import { NtOpenProcess, NtOpenThread } from '../ps/open-services';

/** What raises every kind of callback, as user mode does it. */

type Body = Generator<Request, void, number>;

const CURRENT_PROCESS = -1;

const sleep = (us: number) => KeDelayExecutionThread(MODE.UserMode, false, us * -10);

/** An image whose name the memory manager could not get is mapped: FullImageName is NULL. */
function mapNameless() {
  const routine = 'NtMapViewOfSection';
  return new NtCall(routine, function* (): KernelCode<void> {
    const { machine, thread } = currentGuest(routine);
    const ps = processManager(machine);
    const { info } = ps.images.dll('version.dll', 'x64');
    const told = notifyImage(ps, thread, null, processIdOf(thread.process), info);
    if (isGenerator<number>(told)) yield* told;
    yield ddiTime(machine);
  });
}

/** A child: it loads a DLL, starts a thread, and waits for it. */
function* child(): Body {
  yield* mapNameless();
  yield* LdrLoadDll('version.dll');
  const { threadHandle } = yield* NtCreateThreadEx(
    THREAD_ACCESS.ALL_ACCESS,
    null,
    CURRENT_PROCESS,
    function* () {
      yield* sleep(100);
    },
    null,
    0,
    0,
    0,
    0,
    null,
  );
  yield* NtWaitForSingleObject(threadHandle, false, null);
  yield* NtClose(threadHandle);
}

/** Makes a child, opens and duplicates handles to it, starts a thread in it, and sees it end. */
function* parent(round: number): Body {
  const commandLine = round % 2 === 0 ? 'C:\\Windows\\child.exe /round' : undefined;
  const made = yield* NtCreateUserProcess(
    PROCESS_ACCESS.ALL_ACCESS,
    THREAD_ACCESS.ALL_ACCESS,
    null,
    null,
    0,
    0,
    commandLine === undefined ? null : { commandLine },
    { imageName: 'C:\\Windows\\child.exe', main: child },
  );
  if (made.clientId === undefined) return;
  const opened = yield* NtOpenProcess(
    PROCESS_ACCESS.ALL_ACCESS,
    {},
    {
      UniqueProcess: made.clientId.UniqueProcess,
      UniqueThread: 0,
    },
  );
  const thread = yield* NtOpenThread(THREAD_ACCESS.ALL_ACCESS, {}, made.clientId);
  const copy = yield* NtDuplicateObject(
    CURRENT_PROCESS,
    opened.handle,
    CURRENT_PROCESS,
    0,
    0,
    DUPLICATE.SAME_ACCESS,
  );
  const remote = yield* NtCreateThreadEx(
    THREAD_ACCESS.ALL_ACCESS,
    null,
    made.processHandle,
    function* () {
      yield* sleep(10);
    },
    null,
    0,
    0,
    0,
    0,
    null,
  );
  if (round === 3) yield* NtTerminateProcess(made.processHandle, 0x4000_0001);
  yield* NtWaitForSingleObject(made.processHandle, false, null);
  // It has ended: no handle is made, after the callbacks have been asked.
  yield* NtDuplicateObject(
    CURRENT_PROCESS,
    opened.handle,
    made.processHandle,
    0,
    0,
    DUPLICATE.SAME_ACCESS,
  );
  for (const handle of [
    remote.threadHandle,
    copy.handle,
    thread.handle,
    opened.handle,
    made.threadHandle,
    made.processHandle,
  ]) {
    if (handle !== 0) yield* NtClose(handle);
  }
}

/** Two processes that do it at the same time, each a few times. */
export function startScenario(machine: Machine): void {
  const ps = processManager(machine);
  for (const image of ['C:\\Windows\\explorer.exe', 'C:\\Windows\\services.exe']) {
    ps.createProcess({
      image,
      commandLine: image,
      *main() {
        for (let round = 0; round < 4; round++) yield* parent(round);
      },
    });
  }
}

/** Long enough for all of it, ns of virtual time. */
export const SCENARIO_NS = 1_000_000_000;
