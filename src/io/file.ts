import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeInsertQueueApc } from '../ke/apc';
import { stopGuest } from '../ke/call';
import { KeResetEvent, KeSetEvent, KeWaitForSingleObject } from '../ke/ddi';
import { type KernelCode, systemService } from '../ke/mode';
import { holdsCancelLock } from '../ke/spinlock';
import type { KApc, NormalRoutine } from '../machine/apc';
import type { GuestResult } from '../machine/dpc';
import { isGenerator } from '../machine/generator';
import { currentGuest } from '../machine/guest';
import type { Machine } from '../machine/machine';
import type { KEvent, KProcess, KThread } from '../machine/views';
import type { Handle, HandleResult, ObjectAttributes } from '../ob/attributes';
import { ObpCreateObject } from '../ob/create';
import { ObpReferenceByHandle } from '../ob/handle';
import { HostObject, type ObjectHeader } from '../ob/object';
import { ObpDereference } from '../ob/reference';
import { ExEventObjectType, IoFileObjectType } from '../ob/types';

/**
 * Files, as far as threads wait for them: requests that a device of the embedder's completes, now or
 * later, with the event, the status block, the wait of a synchronous file and the completion APC that
 * belong to them. There is no file system behind it.
 */

/** How a file's requests are waited for: by nobody, or in the service, alertably or not. */
export type FileMode = 'asynchronous' | 'synchronousAlert' | 'synchronousNonalert';

/** IO_STATUS_BLOCK. Nothing is written before the request is complete. */
export interface IoStatusBlock {
  status?: number;
  information?: number;
}

/** What a device does with requests. A status other than STATUS_PENDING completes one at once. */
export interface FileDevice {
  fsControl(request: IoRequest, controlCode: number): GuestResult<number>;
  /** The request's cancel routine: it completes the request, by default with STATUS_CANCELLED. */
  cancel?(request: IoRequest): GuestResult;
}

/** FILE_OBJECT of a device of the embedder's. */
export class KFile extends HostObject {
  /** Signaled while no request of a synchronous file, or of one without an event of its own, is pending. */
  readonly event: KEvent;
  readonly pending = new Set<IoRequest>();

  constructor(
    machine: Machine,
    readonly device: FileDevice,
    readonly mode: FileMode,
  ) {
    super(machine);
    this.event = machine.createEvent('notification');
  }
}

const pendingByThread = new WeakMap<KThread, number>();
const controlsByProcess = new WeakMap<KProcess, number>();

/** How many requests of a thread have not been completed. */
export function pendingRequests(thread: KThread): number {
  return pendingByThread.get(thread) ?? 0;
}

/** How many requests other than reads and writes a process has made. */
export function controlRequests(process: KProcess): number {
  return controlsByProcess.get(process) ?? 0;
}

/** IRP: a request to a file's device. */
export class IoRequest {
  /** @internal */ completed = false;

  constructor(
    readonly file: KFile,
    readonly thread: KThread,
    private readonly statusBlock: IoStatusBlock,
    private readonly event: KEvent | undefined,
    private apc: KApc | undefined,
    private readonly release: () => KernelCode<void>,
  ) {
    pendingByThread.set(thread, pendingRequests(thread) + 1);
    controlsByProcess.set(thread.process, controlRequests(thread.process) + 1);
  }

  /**
   * Completes it, in any thread's context: a special kernel-mode APC of the thread that asked writes
   * the status block, signals the event and queues the user-mode APC.
   *
   * @irql at most DISPATCH_LEVEL   @nt IoCompleteRequest (partial: requests of KFile only, no boost)
   */
  *complete(status: number, information = 0): KernelCode<void> {
    if (this.completed) return;
    this.completed = true;
    this.file.pending.delete(this);
    pendingByThread.set(this.thread, pendingRequests(this.thread) - 1);
    const { machine } = this.file;
    const self = this;
    const apc = machine.createApc(this.thread, {
      *kernelRoutine(own) {
        own.delete();
        yield* self.finish(status, information);
      },
    });
    const queued = yield* KeInsertQueueApc(apc, 0, 0, 0);
    if (queued) return;
    // Who asked has begun to end: nobody reads the status block any more.
    apc.delete();
    yield* this.release();
  }

  private *finish(status: number, information: number): KernelCode<void> {
    this.statusBlock.status = status;
    this.statusBlock.information = information;
    yield* KeSetEvent(this.event ?? this.file.event, 0, false);
    if (this.event !== undefined && this.file.mode !== 'asynchronous')
      yield* KeSetEvent(this.file.event, 0, false);
    if (this.apc !== undefined) yield* KeInsertQueueApc(this.apc, this.statusBlock, 0, 0);
    yield* this.release();
  }

  /** @internal Its wait was broken: the thread learns of the end by the status, not by an APC. */
  withdrawApc(): void {
    this.apc?.delete();
    this.apc = undefined;
  }

  /** Cancels it, as IoCancelIrp does. */
  *cancel(): KernelCode<void> {
    if (this.completed) return;
    const { device } = this.file;
    if (device.cancel === undefined) {
      yield* this.complete(STATUS.CANCELLED);
      return;
    }
    const result = device.cancel(this);
    if (isGenerator(result)) yield* result;
    const { machine, thread } = currentGuest('IoCancelIrp');
    if (!holdsCancelLock(thread)) return;
    const code = BUGCHECK.DRIVER_RETURNED_HOLDING_CANCEL_LOCK;
    const routine = machine.drivers.addressOf(device.cancel);
    stopGuest('IoCancelIrp', LEFT_CANCEL_LOCK, code, machine.drivers.addressOf(this), routine);
  }
}

const LEFT_CANCEL_LOCK =
  'the cancel routine returned with the cancel spin lock; call IoReleaseCancelSpinLock in it';

/** A file that a process opens on a device of the embedder's; the handle is of the current process. */
export function* IopCreateFile(
  mode: MODE,
  device: FileDevice,
  fileMode: FileMode,
  desiredAccess: number,
  attributes: ObjectAttributes | null,
): KernelCode<HandleResult> {
  const { machine } = currentGuest('IopCreateFile');
  return yield* ObpCreateObject({
    mode,
    type: IoFileObjectType,
    desiredAccess,
    attributes,
    make: () => (machine.hasObjectRoom ? new KFile(machine, device, fileMode) : undefined),
  });
}

const createFile = systemService(
  'CreateFile',
  (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    device: FileDevice,
    fileMode: FileMode,
  ) => IopCreateFile(mode, device, fileMode, desiredAccess, objectAttributes),
);

/**
 * Opens a file of a device of the embedder's.
 *
 * @irql PASSIVE_LEVEL   @nt NtCreateFile (partial: takes the device itself; no file system, sharing or disposition)
 */
export const NtCreateFile = createFile.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateFile (partial: as NtCreateFile) */
export const ZwCreateFile = createFile.zw;

/** What a request names besides its file. */
interface Named {
  readonly status: number;
  readonly file?: KFile;
  readonly event?: KEvent;
  readonly headers: readonly ObjectHeader[];
}

function named(mode: MODE, fileHandle: Handle, eventHandle: Handle): Named {
  const file = ObpReferenceByHandle(fileHandle, 0, IoFileObjectType, mode);
  if (file.header === undefined) return { status: file.status, headers: [] };
  const { body } = file.header;
  if (!(body instanceof KFile))
    return { status: STATUS.INVALID_DEVICE_REQUEST, headers: [file.header] };
  if (eventHandle === 0) return { status: STATUS.SUCCESS, file: body, headers: [file.header] };
  const event = ObpReferenceByHandle(eventHandle, 2, ExEventObjectType, mode);
  if (event.header === undefined) return { status: event.status, headers: [file.header] };
  return {
    status: STATUS.SUCCESS,
    file: body,
    event: event.header.body as KEvent,
    headers: [file.header, event.header],
  };
}

function* releaseAll(headers: readonly ObjectHeader[]): KernelCode<void> {
  for (const header of headers) yield* ObpDereference(header);
}

/** The user-mode APC of a request, freed when it has run or is run down. */
function completionApc(
  thread: KThread,
  routine: NormalRoutine | null,
  context: unknown,
): KApc | undefined | number {
  if (routine === null) return undefined;
  const apc = thread.machine.tryCreateApc(thread, {
    mode: MODE.UserMode,
    normalRoutine: routine,
    normalContext: context,
    kernelRoutine: (own) => own.delete(),
    rundownRoutine: (own) => own.delete(),
  });
  return typeof apc === 'string' ? STATUS.INSUFFICIENT_RESOURCES : apc;
}

/** Waits for a request of a synchronous file; an alert or an APC cancels it where the file lets it. */
function* waitForRequest(
  request: IoRequest,
  mode: MODE,
  statusBlock: IoStatusBlock,
): KernelCode<number> {
  const { file } = request;
  const alertable = file.mode === 'synchronousAlert';
  const reason = KWAIT_REASON.Executive;
  const status = yield* KeWaitForSingleObject(file.event, reason, mode, alertable, null);
  if (status === STATUS.SUCCESS) return statusBlock.status ?? STATUS.SUCCESS;
  request.withdrawApc();
  yield* request.cancel();
  yield* KeWaitForSingleObject(file.event, reason, MODE.KernelMode, false, null);
  return statusBlock.status ?? STATUS.CANCELLED;
}

const fsControlFile = systemService(
  'FsControlFile',
  function* (
    mode,
    fileHandle: Handle,
    eventHandle: Handle,
    apcRoutine: NormalRoutine | null,
    apcContext: unknown,
    ioStatusBlock: IoStatusBlock,
    fsControlCode: number,
  ): KernelCode<number> {
    const { file, event, status, headers } = named(mode, fileHandle, eventHandle);
    if (file === undefined) {
      yield* releaseAll(headers);
      return status;
    }
    const { thread } = currentGuest('NtFsControlFile');
    const apc = completionApc(thread, apcRoutine, apcContext);
    if (typeof apc === 'number') {
      yield* releaseAll(headers);
      return apc;
    }
    const release = () => releaseAll(headers);
    const request = new IoRequest(file, thread, ioStatusBlock, event, apc, release);
    file.pending.add(request);
    yield* KeResetEvent(event ?? file.event);
    if (event !== undefined) yield* KeResetEvent(file.event);
    const answer = file.device.fsControl(request, fsControlCode);
    const result = isGenerator(answer) ? yield* answer : answer;
    if (result !== STATUS.PENDING) yield* request.complete(result);
    if (file.mode === 'asynchronous' || result !== STATUS.PENDING) return result;
    return yield* waitForRequest(request, mode, ioStatusBlock);
  },
);

/**
 * Asks a file's device for something, and on a synchronous file waits for it. Buffers are the device's.
 *
 * @returns what the device completes it with; STATUS_PENDING of an asynchronous file; STATUS_CANCELLED
 *   if an alert or a user-mode APC ended the wait of a file that lets it.
 * @irql PASSIVE_LEVEL   @nt NtFsControlFile (partial: no buffers)
 */
export const NtFsControlFile = fsControlFile.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwFsControlFile (partial: no buffers) */
export const ZwFsControlFile = fsControlFile.zw;

const cancelIoFile = systemService(
  'CancelIoFile',
  function* (mode, fileHandle: Handle, ioStatusBlock: IoStatusBlock): KernelCode<number> {
    const { status, header } = ObpReferenceByHandle(fileHandle, 0, IoFileObjectType, mode);
    if (header === undefined) return status;
    const { thread } = currentGuest('NtCancelIoFile');
    const pending = header.body instanceof KFile ? [...header.body.pending] : [];
    for (const request of pending) {
      if (request.thread === thread) yield* request.cancel();
    }
    ioStatusBlock.status = STATUS.SUCCESS;
    ioStatusBlock.information = 0;
    yield* ObpDereference(header);
    return STATUS.SUCCESS;
  },
);

/** Cancels what the calling thread has asked a file for. @irql PASSIVE_LEVEL @nt NtCancelIoFile */
export const NtCancelIoFile = cancelIoFile.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCancelIoFile */
export const ZwCancelIoFile = cancelIoFile.zw;

IoFileObjectType.procedures = {
  delete(body) {
    if (body instanceof KFile) body.event.delete();
    return undefined;
  },
};
