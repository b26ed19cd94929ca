/** Processes and threads as the kernel debugger shows them: `!process 0 7`, `!thread`. */
import type {
  InspectedCallbacks,
  InspectedHandle,
  InspectedNotifyRoutine,
  InspectedObjectCallback,
  InspectedProcess,
  InspectedRoutine,
  InspectedThread,
  InspectedWait,
  InspectedWaitObject,
} from '../index';

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
const address = (value: number): string => hex(value, 8);
const cid = (value: number): string => hex(value, 4);

/** 00:00:01.500 */
function time(ns: number): string {
  const ms = Math.floor(ns / 1e6);
  const part = (value: number, digits: number) => `${value}`.padStart(digits, '0');
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const [h, m, s] = [Math.floor(minutes / 60), minutes % 60, seconds % 60];
  return `${part(h, 2)}:${part(m, 2)}:${part(s, 2)}.${part(ms % 1000, 3)}`;
}

const named = (name: string, width: number, value: string | number): string =>
  `${name.padEnd(width)}${value}`;

/** What a debugger shows of a thread's state in its first line. */
function stateOf({ state, processor, wait }: InspectedThread): string {
  if (wait !== undefined)
    return `WAIT: (${wait.reason}) ${wait.mode} ${wait.alertable ? 'Alertable' : 'Non-Alertable'}`;
  const where = processor === undefined ? '' : ` on processor ${processor}`;
  return `${state.toUpperCase()}${where}`;
}

function objectLine(object: InspectedWaitObject): string {
  const { type, address: at, limit, owningThread, name } = object;
  const detail =
    limit !== undefined
      ? ` Limit 0x${limit.toString(16)}`
      : owningThread !== undefined
        ? ` - owning thread Cid ${cid(owningThread)}`
        : '';
  return `${address(at)}  ${type}${detail}${name === undefined ? '' : `: ${name}`}`;
}

function waitLines({ objects, type, dueNs }: InspectedWait): string[] {
  const lines = objects.map(objectLine);
  if (objects.length > 1) lines.unshift(`${type} of ${objects.length} objects:`);
  if (dueNs !== undefined) lines.push(`until ${time(dueNs)}`);
  return lines.map((line) => `        ${line}`);
}

const NOT_ATTACHED = 'N/A            Image:         N/A';

/** A thread as `!thread` shows it. `tickNs` is the clock interval. */
export function threadLines(
  thread: InspectedThread,
  image: string,
  nowNs: number,
  tickNs: number,
): string[] {
  const { processId, threadId, wait, priority, basePriority, foregroundBoost } = thread;
  const { attachedProcessId: attached } = thread;
  const since = Math.floor(thread.stateSinceNs / tickNs);
  const ticks = Math.floor(nowNs / tickNs) - since;
  const started = wait === undefined ? [] : [tickLine(since, ticks, ticks * tickNs)];
  return [
    `THREAD ${address(thread.address)}  Cid ${cid(processId)}.${cid(threadId)}  Teb: ${hex(thread.teb ?? 0, 16)}  ${stateOf(thread)}`,
    ...(thread.suspendCount === 0 ? [] : [`    SuspendCount ${thread.suspendCount}`]),
    ...(wait === undefined ? [] : waitLines(wait)),
    ...[
      named('Owning Process', 26, `Cid ${cid(processId)}       Image:         ${image}`),
      named('Attached Process', 26, attached === undefined ? NOT_ATTACHED : `Cid ${cid(attached)}`),
      ...started,
      `${named('Context Switch Count', 26, thread.contextSwitches)}       IdealProcessor: ${thread.idealProcessor}`,
      named('UserTime', 26, time(thread.userTimeNs)),
      named('KernelTime', 26, time(thread.kernelTimeNs)),
      named('Start Routine', 26, `${thread.name} (${thread.guest.toLowerCase()})`),
      `Priority ${priority} BasePriority ${basePriority} UnusualBoost ${thread.unusualBoost} ForegroundBoost ${foregroundBoost}`,
      ...(thread.exitStatus === undefined ? [] : [`ExitStatus ${hex(thread.exitStatus >>> 0, 8)}`]),
      ...(thread.stack.length === 0 ? [] : ['Call Site', ...thread.stack]),
    ].map((line) => `    ${line}`),
  ];
}

function tickLine(since: number, ticks: number, waitedNs: number): string {
  return named('Wait Start TickCount', 26, `${since}       Ticks: ${ticks} (${time(waitedNs)})`);
}

/** The head of a process, as `!process 0 0` shows it. */
export function processHead(process: InspectedProcess): string[] {
  const { processId, parentProcessId, sessionId, peb = 0 } = process;
  return [
    `PROCESS ${address(process.address)}`,
    `    SessionId: ${sessionId}  Cid: ${cid(processId)}    Peb: ${hex(peb, 8)}  ParentCid: ${cid(parentProcessId)}`,
    `    HandleCount: ${process.handleCount}.`,
    `    Image: ${process.name}`,
  ];
}

/** A process and its threads, as `!process 0 7` shows them. */
export function processLines(process: InspectedProcess, nowNs: number, tickNs: number): string[] {
  const { threads, exitStatus, protection } = process;
  return [
    ...processHead(process),
    ...(protection === undefined
      ? []
      : [`    ${named('Protection', 34, `0x${hex(protection, 2)}`)}`]),
    `    ${named('ElapsedTime', 34, time(process.elapsedNs))}`,
    `    ${named('UserTime', 34, time(process.userTimeNs))}`,
    `    ${named('KernelTime', 34, time(process.kernelTimeNs))}`,
    `    ${named('BasePriority', 34, process.basePriority)}`,
    `    ${named('PriorityClass', 34, process.priorityClass)}`,
    ...(exitStatus === undefined
      ? []
      : [`    ${named('ExitStatus', 34, hex(exitStatus >>> 0, 8))}`]),
    '',
    ...threads.flatMap((thread) => [
      ...threadLines(thread, process.name, nowNs, tickNs).map((line) => `        ${line}`),
      '',
    ]),
  ];
}

/** The handles of a process as `!handle` shows them. */
export function handleLines(handles: readonly InspectedHandle[]): string[] {
  return [
    `Handle table with ${handles.length} entries in use`,
    '',
    ...handles.flatMap((each) => {
      const object = `Object: ${each.address === undefined ? '-' : address(each.address)}`;
      const flags = `${each.protectFromClose ? ' (Protected)' : ''}${each.inherit ? ' (Inherit)' : ''}`;
      return [
        `${cid(each.handle)}: ${object}  GrantedAccess: ${hex(each.grantedAccess, 8)}${flags}`,
        `    ${object}  Type: ${each.type}`,
        `        HandleCount: ${each.handleCount}  PointerCount: ${each.pointerCount}`,
        ...(each.name === undefined ? [] : [`        Name: ${each.name}`]),
        ...clientLine(each),
        '',
      ];
    }),
  ];
}

function clientLine({ processId, threadId }: InspectedHandle): string[] {
  if (processId === undefined) return [];
  return [`        Cid: ${cid(processId)}${threadId === undefined ? '' : `.${cid(threadId)}`}`];
}

const NO_ROUTINE = 'none';

function routineText(routine: InspectedRoutine | undefined): string {
  return routine === undefined ? NO_ROUTINE : `${hex(routine.address, 16)} ${routine.routine}`;
}

const underWay = (calls: number): string => (calls === 0 ? '' : `  ${calls} calls under way`);

function notifyLines(array: string, routines: readonly InspectedNotifyRoutine[]): string[] {
  return [
    `nt!${array}: ${routines.length} of 64`,
    ...routines.map(
      (each) =>
        `    [${`${each.slot}`.padStart(2, '0')}] ${routineText(each)}  (${each.registeredBy})${underWay(each.callsUnderWay)}`,
    ),
  ];
}

function objectCallbackLines(each: InspectedObjectCallback): string[] {
  const { objectType, altitude, operations, preOperation, postOperation, callsUnderWay } = each;
  return [
    `    ${objectType}  Altitude: ${altitude}  Operations: ${operations.join(' ')}${underWay(callsUnderWay)}`,
    `        PreOperation:  ${routineText(preOperation)}`,
    `        PostOperation: ${routineText(postOperation)}`,
  ];
}

/** What is registered, as the kernel's arrays and lists of it have it. */
export function callbackLines({ process, thread, image, object }: InspectedCallbacks): string[] {
  return [
    ...notifyLines('PspCreateProcessNotifyRoutine', process),
    ...notifyLines('PspCreateThreadNotifyRoutine', thread),
    ...notifyLines('PspLoadImageNotifyRoutine', image),
    `CallbackList of object types: ${object.length}`,
    ...object.flatMap(objectCallbackLines),
  ];
}
