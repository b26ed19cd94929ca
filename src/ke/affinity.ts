import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import type { Machine } from '../machine/machine';
import { requireInteger } from '../machine/profile';
import type { KThread } from '../machine/views';
import { requireIrql, VIOLATION } from './call';
import type { ProcessorNumber } from './topology';

/**
 * Where a thread may run, for host threads. Its user affinity is what it was created with or given
 * from outside; a driver may put a system affinity in front of it, and take that away again.
 * Below DISPATCH_LEVEL the thread is on an allowed processor when a routine returns; at
 * DISPATCH_LEVEL it moves when the level falls.
 */

/** GROUP_AFFINITY: processors of one group. */
export interface GroupAffinity {
  readonly Mask: bigint;
  readonly Group: number;
}

/** What says that the user affinity was, or is to be, in force. */
const USER_AFFINITY: GroupAffinity = { Mask: 0n, Group: 0 };

function isValid(machine: Machine, { Mask, Group }: GroupAffinity): boolean {
  return Mask > 0n && (Mask & ~machine.groupAffinity(Group)) === 0n;
}

function* move(thread: KThread, mask: bigint, ideal: number): Generator<Request, void, number> {
  yield [encode(OP.SetAffinityThread), ...words64(thread.handle), ...words64(mask), ideal];
}

/** Puts a system affinity in force; what was before: USER_AFFINITY, or the system affinity replaced. */
function* setSystemAffinity(
  routine: string,
  affinity: GroupAffinity,
): Generator<Request, GroupAffinity, number> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  const { machine, thread } = currentGuest(routine);
  if (!isValid(machine, affinity)) return USER_AFFINITY;
  const previous: GroupAffinity =
    thread.userAffinity === undefined
      ? USER_AFFINITY
      : { Mask: thread.affinity, Group: thread.group };
  thread.userAffinity ??= { mask: thread.affinity, ideal: thread.idealProcessor };
  const { ideal } = thread.userAffinity;
  const isNear = machine.processorPlace(ideal)?.group === affinity.Group;
  const first = lowestBit(affinity.Mask);
  const near = isNear ? ideal : (machine.processorIndex(affinity.Group, first) ?? ideal);
  yield* move(thread, affinity.Mask, near);
  return previous;
}

function lowestBit(mask: bigint): number {
  return mask.toString(2).length - 1 - mask.toString(2).lastIndexOf('1');
}

/** Back to the user affinity (a mask of 0) or to an earlier system affinity; nothing unless one is in force. */
function* revert(routine: string, affinity: GroupAffinity): Generator<Request, void, number> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  const { thread } = currentGuest(routine);
  const user = thread.userAffinity;
  if (user === undefined) return;
  if (affinity.Mask !== 0n) {
    yield* setSystemAffinity(routine, affinity);
    return;
  }
  thread.userAffinity = undefined;
  yield* move(thread, user.mask, user.ideal);
}

/**
 * Lets the calling thread run on these processors of group 0 alone. A mask that names a processor
 * that there is not, or none, changes nothing.
 *
 * @irql at most DISPATCH_LEVEL   @nt KeSetSystemAffinityThread
 */
export function KeSetSystemAffinityThread(affinity: bigint): NtCall<void> {
  return new NtCall('KeSetSystemAffinityThread', () => setSystemAffinityThread(affinity));
}

function* setSystemAffinityThread(affinity: bigint): Generator<Request, void, number> {
  yield* setSystemAffinity('KeSetSystemAffinityThread', { Mask: affinity, Group: 0 });
}

/**
 * The same.
 *
 * @returns the system affinity before; 0 if the user affinity was in force, or nothing has changed.
 * @irql at most DISPATCH_LEVEL   @nt KeSetSystemAffinityThreadEx
 */
export function KeSetSystemAffinityThreadEx(affinity: bigint): NtCall<bigint> {
  return new NtCall('KeSetSystemAffinityThreadEx', () => setSystemAffinityThreadEx(affinity));
}

function* setSystemAffinityThreadEx(affinity: bigint): Generator<Request, bigint, number> {
  const target = { Mask: affinity, Group: 0 };
  return (yield* setSystemAffinity('KeSetSystemAffinityThreadEx', target)).Mask;
}

/** Gives the calling thread its user affinity back, as it is now. @irql at most DISPATCH_LEVEL @nt KeRevertToUserAffinityThread */
export function KeRevertToUserAffinityThread(): NtCall<void> {
  return new NtCall('KeRevertToUserAffinityThread', () =>
    revert('KeRevertToUserAffinityThread', USER_AFFINITY),
  );
}

/**
 * Gives the calling thread its user affinity back (0), or an earlier system affinity in group 0.
 * Nothing happens without a system affinity in force, or for a mask that is not valid.
 *
 * @irql at most DISPATCH_LEVEL   @nt KeRevertToUserAffinityThreadEx
 */
export function KeRevertToUserAffinityThreadEx(affinity: bigint): NtCall<void> {
  return new NtCall('KeRevertToUserAffinityThreadEx', () =>
    revert('KeRevertToUserAffinityThreadEx', { Mask: affinity, Group: 0 }),
  );
}

/**
 * Lets the calling thread run on these processors alone, of whatever group. A group or mask that is
 * not valid changes nothing.
 *
 * @returns the system affinity before, to be given to KeRevertToUserGroupAffinityThread; zeros if the
 *   user affinity was in force, or nothing has changed.
 * @irql at most DISPATCH_LEVEL   @nt KeSetSystemGroupAffinityThread
 */
export function KeSetSystemGroupAffinityThread(affinity: GroupAffinity): NtCall<GroupAffinity> {
  return new NtCall('KeSetSystemGroupAffinityThread', () =>
    setSystemAffinity('KeSetSystemGroupAffinityThread', affinity),
  );
}

/**
 * Gives the calling thread its user affinity back (a mask of 0), or an earlier system affinity.
 * Nothing happens without a system affinity in force.
 *
 * @irql at most DISPATCH_LEVEL   @nt KeRevertToUserGroupAffinityThread
 */
export function KeRevertToUserGroupAffinityThread(previousAffinity: GroupAffinity): NtCall<void> {
  return new NtCall('KeRevertToUserGroupAffinityThread', () =>
    revert('KeRevertToUserGroupAffinityThread', previousAffinity),
  );
}

/**
 * Sets where a thread is at home, by the processor's number in the thread's group. It counts from
 * when the thread is next made ready, and only while its affinity has it.
 *
 * @returns the number before.
 * @irql at most DISPATCH_LEVEL   @nt KeSetIdealProcessorThread
 */
export function KeSetIdealProcessorThread(thread: KThread, processor: number): number {
  const routine = 'KeSetIdealProcessorThread';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  const { machine } = currentGuest(routine);
  const previous = machine.processorPlace(thread.idealProcessor)?.groupIndex ?? 0;
  const highest = machine.groupAffinity(thread.group).toString(2).length - 1;
  requireInteger(`${routine}: processor`, processor, 0, highest);
  const index = machine.processorIndex(thread.group, processor);
  if (index !== undefined) thread.setIdealProcessor(index);
  return previous;
}

/**
 * The same by group and number.
 *
 * @returns SUCCESS with the processor before; INVALID_PARAMETER for a processor that there is not, or
 *   of another group than the thread's.
 * @irql at most DISPATCH_LEVEL   @nt KeSetIdealProcessorThreadEx
 */
export function KeSetIdealProcessorThreadEx(
  thread: KThread,
  idealProcessor: ProcessorNumber,
): { readonly status: number; readonly previousIdealProcessor: ProcessorNumber | undefined } {
  const routine = 'KeSetIdealProcessorThreadEx';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.DISPATCH_LEVEL);
  const { machine } = currentGuest(routine);
  const index = machine.processorIndex(idealProcessor.Group, idealProcessor.Number);
  if (index === undefined || idealProcessor.Group !== thread.group)
    return { status: STATUS.INVALID_PARAMETER, previousIdealProcessor: undefined };
  const place = machine.processorPlace(thread.idealProcessor);
  thread.setIdealProcessor(index);
  const previousIdealProcessor = { Group: place?.group ?? 0, Number: place?.groupIndex ?? 0 };
  return { status: STATUS.SUCCESS, previousIdealProcessor };
}
