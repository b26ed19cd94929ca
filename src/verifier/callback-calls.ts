import { KWAIT_REASON } from '../../assembly/shared/types';
import { OP, WAIT_FIELD } from '../../assembly/shared/opcode';
import type { Request } from '../machine/generator';
import type { Machine } from '../machine/machine';
import { KernelObject, type KProcess, type KThread } from '../machine/views';
import { everyHandle } from '../ob/handles';
import { HostObject } from '../ob/object';
import { awaitedBy } from './awaited';

/** Which rule it is against to call a routine, or to wait, in a callback. */

export const LOAD_IMAGE = 'load-image-notify routine';
export const PROCESS = 'process-notify routine';
export const THREAD = 'thread-notify routine';
export const PRE = 'pre-operation callback';

/** Routines that take a lock, or may. */
export const TAKES = /^(Ex|Exf|Ke)(Acquire|WaitFor)/;
/** Routines that go on without a lock that is not free. */
export const TRIES = /^(Ex|Ke)Try/;
export const REMOVES = /^(PsSet|PsRemove|ObUnRegister)/;
export const TERMINATES = /^(Nt|Zw)Terminate(Process|Thread|JobObject)$/;
export const QUEUES = /^(ExQueueWorkItem|IoQueueWorkItem(Ex)?|IoTryQueueWorkItem)$/;
export const NEEDS_INTEGRITY = /^(PsSetCreateProcessNotifyRoutineEx2?|ObRegisterCallbacks)$/;
const REGISTRY =
  /^(Nt|Zw)(Open|Create|Delete|Enumerate|Query|Set|DeleteValue|EnumerateValue|QueryValue|SetValue)Key$/;
const TALKS =
  /^(Nt|Zw|Io)(SetIoCompletion|RemoveIoCompletion(Ex)?|WaitForKeyedEvent|ReleaseKeyedEvent|SignalAndWaitForSingleObject|AlertThreadByThreadId|WaitForAlertByThreadId|QueueApcThread(Ex)?|AlertThread|AlertResumeThread)$/;
const FILES = /^(Nt|Zw)(Create|FsControl)File$/;
const USER_MEMORY =
  /^(Nt|Zw)((Allocate|Free|Protect|Query|Read|Write)VirtualMemory|(Map|Unmap)ViewOfSection)$/;
const ATTACHES = /^(KeStackAttachProcess|KeAttachProcess)$/;

/** The rule that a call of a routine in a callback of a sort breaks by itself. */
export function ruleOfCall(routine: string, sort: string, thread: KThread): string | undefined {
  if (REGISTRY.test(routine)) return 'CB-03';
  if (TALKS.test(routine)) return 'CB-05';
  const image = sort === LOAD_IMAGE;
  if (FILES.test(routine)) return image && thread.specialApcDisable !== 0 ? 'CB-13' : 'CB-08';
  if (image && ATTACHES.test(routine)) return 'CB-12';
  if (image && USER_MEMORY.test(routine)) return 'CB-11';
  return routine === 'PsTerminateSystemThread' ? 'CB-30' : undefined;
}

/** Whether what a routine waits for is said with the call itself. */
export function saysItsWait(routine: string): boolean {
  return TALKS.test(routine) || FILES.test(routine);
}

/** The timeout of a request that waits, as two words; undefined: it does not wait. */
function timeoutOf(request: Request): readonly [number, number] | undefined {
  const [word = 0, first = 0, second = 0, third = 0, fourth = 0] = request;
  switch (word & 0xff) {
    case OP.Wait:
    case OP.RemoveQueue:
      return [third, fourth];
    case OP.WaitMultiple:
      return [second, third];
    case OP.Delay:
    case OP.WaitForAlertById:
      return [first, second];
    case OP.WaitGate:
    case OP.SignalAndWait:
      return [1, 0];
    default:
      return undefined;
  }
}

/** Locks of the host are waited for at events of their own, for reasons of their own. */
const LOCK_REASONS: readonly number[] = [
  KWAIT_REASON.WrResource,
  KWAIT_REASON.WrPushLock,
  KWAIT_REASON.WrFastMutex,
  KWAIT_REASON.WrGuardedMutex,
];

/**
 * Whether a request blocks. One for a contended lock does not count: whether a lock is contended is
 * chance, and a callback may guard its tables with one. What makes a lock wrong in a callback is what
 * its other owners do while they hold it, and that CB-06 finds without contention.
 */
export function blocks(request: Request): boolean {
  const timeout = timeoutOf(request);
  if (timeout === undefined || (timeout[0] === 0 && timeout[1] === 0)) return false;
  const word = request[0] as number;
  return (word & 0xff) !== OP.Wait || !LOCK_REASONS.includes((word >>> 16) & WAIT_FIELD.Reason);
}

/** On which user-mode process it depends when a request's wait ends, if it does on one. */
export function userOfAwaited(machine: Machine, request: Request): string | undefined {
  const { handles } = awaitedBy(request);
  if (handles.length === 0) return undefined;
  const user = (process: KProcess) => process !== machine.systemProcess;
  for (const process of machine.allProcesses()) {
    if (user(process) && handles.includes(process.handle)) return `the end of ${process.name}`;
  }
  for (const { handle, process, name } of machine.allThreads()) {
    if (user(process) && handles.includes(handle)) return `the end of thread '${name}'`;
  }
  for (const { process, object } of everyHandle(machine)) {
    if (!user(process)) continue;
    const waited = object instanceof HostObject ? object.waitObject : object;
    if (waited instanceof KernelObject && handles.includes(waited.handle))
      return `an object to which ${process.name} has a handle`;
  }
  return undefined;
}
