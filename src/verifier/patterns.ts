import { STATUS } from '../../assembly/shared/status';
import { IRQL, MODE } from '../../assembly/shared/types';
import { KeLowerIrql, KeRaiseIrql } from '../ke/irql';
import type { KernelCode } from '../ke/mode';
import { KeDelayExecutionThread } from '../ke/time';
import { isGenerator } from '../machine/generator';
import { currentGuest } from '../machine/guest';
import type { Machine } from '../machine/machine';
import { OBJ } from '../ob/attributes';
import { NtClose, ObOpenObjectByPointer, ZwClose } from '../ob/handle';
import { PsProcessType } from '../ob/types';
import { PROCESS_ACCESS, THREAD_ACCESS } from '../ps/access';
import { NtTerminateProcess } from '../ps/control-services';
import { NtCreateProcessEx } from '../ps/create-process-ex';
import { NtCreateThreadEx, NtCreateUserProcess } from '../ps/create-services';
import { processManager } from '../ps/manager';
import { PsCreateSystemThread } from '../ps/system-thread';
import { notifyThread, THREAD_NOTIFY } from '../ps/thread-notify';
import { PsCreateMinimalProcess } from '../subsystem/minimal';
import { SYS } from '../subsystem/wsl/abi';
import { WslSubsystem } from '../subsystem/wsl/wsl';

/** What processes and threads do that a driver must put up with, to happen beside a scenario. */

const CURRENT_PROCESS = -1;
const ROUNDS = 12;

const sleep = (us: number) => KeDelayExecutionThread(MODE.UserMode, false, us * -10);

function startProcess(machine: Machine, image: string, main: () => KernelCode<void>): void {
  processManager(machine).createProcess({ image, commandLine: image, main });
}

function startSystemThread(machine: Machine, body: () => KernelCode<void>): void {
  machine.systemProcess.createThread(body, { name: 'pattern' }).close();
}

/** Makes a process that runs `main`. @returns its handle; 0: it was refused. */
function* spawn(main: () => KernelCode<void>): KernelCode<number> {
  const made = yield* NtCreateUserProcess(
    PROCESS_ACCESS.ALL_ACCESS,
    THREAD_ACCESS.ALL_ACCESS,
    null,
    null,
    0,
    0,
    null,
    { imageName: 'C:\\Windows\\child.exe', main },
  );
  if (made.clientId === undefined) return 0;
  yield* NtClose(made.threadHandle);
  return made.processHandle;
}

/** Processes that are gone as soon as they are there: each has the ids of the one before. */
function* reuseIds(): KernelCode<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const handle = yield* spawn(function* () {});
    yield* sleep(50);
    if (handle !== 0) yield* NtClose(handle);
  }
}

/** Many processes of several threads, ended all at once. */
function* storm(): KernelCode<void> {
  const handles: number[] = [];
  const body = function* (): KernelCode<void> {
    yield* sleep(1_000_000);
  };
  for (let round = 0; round < ROUNDS; round++) {
    const handle = yield* spawn(body);
    if (handle === 0) continue;
    handles.push(handle);
    const access = THREAD_ACCESS.ALL_ACCESS;
    const made = yield* NtCreateThreadEx(access, null, handle, body, null, 0, 0, 0, 0, null);
    if (made.threadHandle !== 0) yield* NtClose(made.threadHandle);
  }
  for (const handle of handles) yield* NtTerminateProcess(handle, STATUS.ACCESS_DENIED);
  for (const handle of handles) yield* NtClose(handle);
}

/** Processes that never had a thread: their end is told of, and no beginning. */
function* endWithoutBeginning(): KernelCode<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const access = PROCESS_ACCESS.ALL_ACCESS;
    const made = yield* NtCreateProcessEx(access, null, CURRENT_PROCESS, 0, 0, 0, 0, 0);
    if (made.handle !== 0) yield* NtClose(made.handle);
  }
}

/** The end of a thread is told of at APC_LEVEL, as the documentation lets the kernel do. */
function* tellAtApcLevel(): KernelCode<void> {
  const { machine, thread } = currentGuest('PspExitThread');
  const kinds = THREAD_NOTIFY.Legacy | THREAD_NOTIFY.Subsystems;
  for (let round = 0; round < ROUNDS; round++) {
    yield* KeDelayExecutionThread(MODE.KernelMode, false, -500);
    const old = KeRaiseIrql(IRQL.APC_LEVEL);
    const told = notifyThread(processManager(machine), thread, thread, kinds, false);
    if (isGenerator(told)) yield* told;
    yield* KeLowerIrql(old);
  }
}

/** A minimal process: without an image, a name of it, a command line and a PEB. */
function* minimal(): KernelCode<void> {
  const { process } = yield* PsCreateMinimalProcess('minimal');
  if (process === undefined) return;
  const body = function* (): KernelCode<void> {
    yield* KeDelayExecutionThread(MODE.KernelMode, false, -100);
  };
  const opened = yield* ObOpenObjectByPointer(
    process,
    OBJ.KERNEL_HANDLE,
    null,
    PROCESS_ACCESS.ALL_ACCESS,
    PsProcessType,
    MODE.KernelMode,
  );
  const access = THREAD_ACCESS.ALL_ACCESS;
  const { handle } = yield* PsCreateSystemThread(access, null, opened.handle, body, null);
  if (handle !== 0) yield* ZwClose(handle);
  yield* ZwClose(opened.handle);
}

/** Processes of Linux: no PEB, and command lines whose words end with NUL. */
function linux(machine: Machine): () => void {
  const wsl = new WslSubsystem(machine);
  wsl.install('/init', function* (user) {
    for (let round = 0; round < ROUNDS; round++) {
      yield* user.spawnThread(function* (other) {
        yield* other.call(SYS.sched_yield);
      });
      yield* user.call(SYS.sched_yield);
    }
  });
  return () => {
    wsl.spawn('/init', { argv: ['/init', '--quiet', ''] });
  };
}

/** By name. */
export const PATTERNS = {
  'pid-reuse': {
    start: (machine: Machine) => startProcess(machine, 'C:\\Windows\\reuse.exe', reuseIds),
  },
  storm: {
    start: (machine: Machine) => startProcess(machine, 'C:\\Windows\\storm.exe', storm),
  },
  'exit-only': {
    start: (machine: Machine) =>
      startProcess(machine, 'C:\\Windows\\fork.exe', endWithoutBeginning),
  },
  'apc-level': { start: (machine: Machine) => startSystemThread(machine, tellAtApcLevel) },
  minimal: { start: (machine: Machine) => startSystemThread(machine, minimal) },
  linux: { boot: linux },
};
