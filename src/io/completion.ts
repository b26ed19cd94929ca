import { STATUS } from '../../assembly/shared/status';
import type { MODE } from '../../assembly/shared/types';
import type { Timeout } from '../ke/call';
import { type KernelCode, systemService } from '../ke/mode';
import { KeInsertQueue, KeRemoveQueueEx } from '../ke/queue';
import { currentGuest, NtStatusError } from '../machine/guest';
import type { KQueue } from '../machine/queue';
import { failed, type Handle, type HandleResult, type ObjectAttributes } from '../ob/attributes';
import { ObpCreateObject, ObpOpenObjectByName } from '../ob/create';
import type { InformationBuffer, InformationClass } from '../ob/information';
import { onHandle, queryHandle } from '../ob/services/on-handle';
import { IoCompletionObjectType } from '../ob/types';

/** I/O completion objects: queues of packets, by handle. */

/** Rights of completion objects. */
export const enum IO_COMPLETION {
  QUERY_STATE = 1,
  MODIFY_STATE = 2,
  ALL_ACCESS = 0x1f0003,
}

IoCompletionObjectType.procedures = {
  delete(body) {
    // Threads that have taken from it belong to it until then.
    (body as KQueue).rundown();
    return undefined;
  },
};

/** FILE_IO_COMPLETION_INFORMATION: a packet. */
export interface CompletionPacket {
  readonly keyContext: unknown;
  readonly apcContext: unknown;
  readonly ioStatus: { readonly status: number; readonly information: number };
}

const createIoCompletion = systemService(
  'CreateIoCompletion',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    count: number,
  ): KernelCode<HandleResult> {
    if (!Number.isInteger(count) || count < 0 || count > 0x7fffffff)
      return failed(STATUS.INVALID_PARAMETER);
    const { machine } = currentGuest('NtCreateIoCompletion');
    return yield* ObpCreateObject({
      mode,
      type: IoCompletionObjectType,
      desiredAccess,
      attributes: objectAttributes,
      make: () => (machine.hasObjectRoom ? machine.createQueue(count) : undefined),
    });
  },
);

/**
 * Makes a completion object whose packets at most `count` threads work on at a time; 0: as many as
 * there are processors.
 *
 * @irql PASSIVE_LEVEL   @nt NtCreateIoCompletion
 */
export const NtCreateIoCompletion = createIoCompletion.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateIoCompletion */
export const ZwCreateIoCompletion = createIoCompletion.zw;

const openIoCompletion = systemService(
  'OpenIoCompletion',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) =>
    ObpOpenObjectByName(mode, IoCompletionObjectType, desiredAccess, objectAttributes),
);

/** Opens the completion object of a name. @irql PASSIVE_LEVEL @nt NtOpenIoCompletion */
export const NtOpenIoCompletion = openIoCompletion.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenIoCompletion */
export const ZwOpenIoCompletion = openIoCompletion.zw;

const setIoCompletion = systemService(
  'SetIoCompletion',
  (
    mode,
    handle: Handle,
    keyContext: unknown,
    apcContext: unknown,
    ioStatus: number,
    ioStatusInformation: number,
  ): KernelCode<number> =>
    onHandle(
      mode,
      handle,
      IO_COMPLETION.MODIFY_STATE,
      IoCompletionObjectType,
      function* (queue: KQueue) {
        const packet: CompletionPacket = {
          keyContext,
          apcContext,
          ioStatus: { status: ioStatus, information: ioStatusInformation },
        };
        try {
          yield* KeInsertQueue(queue, packet);
        } catch (error) {
          if (error instanceof NtStatusError) return error.status;
          throw error;
        }
        return STATUS.SUCCESS;
      },
    ),
);

/** Queues a packet. @returns STATUS_SUCCESS; STATUS_INSUFFICIENT_RESOURCES; what handles come to. @irql PASSIVE_LEVEL @nt NtSetIoCompletion */
export const NtSetIoCompletion = setIoCompletion.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSetIoCompletion */
export const ZwSetIoCompletion = setIoCompletion.zw;

/** Packets that were taken. */
export interface RemovedPackets {
  readonly status: number;
  readonly packets: readonly CompletionPacket[];
}

function* removePackets(
  mode: MODE,
  handle: Handle,
  count: number,
  timeout: Timeout,
  alertable: boolean,
): KernelCode<RemovedPackets> {
  if (count === 0) return { status: STATUS.INVALID_PARAMETER, packets: [] };
  const result = yield* onHandle(
    mode,
    handle,
    IO_COMPLETION.MODIFY_STATE,
    IoCompletionObjectType,
    function* (queue: KQueue) {
      const { status, entries } = yield* KeRemoveQueueEx(queue, mode, alertable, timeout, count);
      return { status, packets: entries as CompletionPacket[] };
    },
  );
  return typeof result === 'number' ? { status: result, packets: [] } : result;
}

const removeIoCompletion = systemService(
  'RemoveIoCompletion',
  (mode, handle: Handle, timeout: Timeout) => removePackets(mode, handle, 1, timeout, false),
);

/** Takes the first packet, or waits for one; see KeRemoveQueue. @irql PASSIVE_LEVEL @nt NtRemoveIoCompletion */
export const NtRemoveIoCompletion = removeIoCompletion.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwRemoveIoCompletion */
export const ZwRemoveIoCompletion = removeIoCompletion.zw;

const removeIoCompletionEx = systemService(
  'RemoveIoCompletionEx',
  (mode, handle: Handle, count: number, timeout: Timeout, alertable: boolean) =>
    removePackets(mode, handle, count, timeout, alertable),
);

/**
 * The same for up to `count` packets. A packet that is there is taken before an alert or a user-mode
 * APC ends an alertable wait with STATUS_USER_APC.
 *
 * @irql PASSIVE_LEVEL   @nt NtRemoveIoCompletionEx
 */
export const NtRemoveIoCompletionEx = removeIoCompletionEx.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwRemoveIoCompletionEx */
export const ZwRemoveIoCompletionEx = removeIoCompletionEx.zw;

const IO_COMPLETION_BASIC: InformationClass<KQueue, { readonly depth: number }> = {
  lengths: [4],
  query: (queue) => ({ depth: queue.signalState }),
};

const queryIoCompletion = systemService(
  'QueryIoCompletion',
  (mode, handle: Handle, informationClass: number, length: InformationBuffer) =>
    queryHandle(
      mode,
      handle,
      IO_COMPLETION.QUERY_STATE,
      IoCompletionObjectType,
      informationClass === 0 ? IO_COMPLETION_BASIC : undefined,
      length,
    ),
);

/** How many packets there are: 4 bytes. @irql PASSIVE_LEVEL @nt NtQueryIoCompletion */
export const NtQueryIoCompletion = queryIoCompletion.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueryIoCompletion */
export const ZwQueryIoCompletion = queryIoCompletion.zw;
