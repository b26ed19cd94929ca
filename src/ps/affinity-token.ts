import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import {
  type GroupAffinity,
  KeRevertToUserGroupAffinityThread,
  KeSetSystemGroupAffinityThread,
} from '../ke/affinity';
import { requireIrql, VIOLATION } from '../ke/call';
import type { KernelCode } from '../ke/mode';
import { currentGuest, NtCall } from '../machine/guest';

/** System affinities of several groups, with a token that remembers what was before. */

/** AFFINITY_TOKEN. */
export class AffinityToken {
  /** @internal What a revert goes back to; undefined: it was not filled by a set. */
  previous: GroupAffinity | undefined;
  /** @internal */ freed = false;
}

/** @returns SUCCESS with a token for PsSetSystemMultipleGroupAffinityThread. @irql at most APC_LEVEL @nt PsAllocateAffinityToken */
export function PsAllocateAffinityToken(): {
  readonly status: number;
  readonly affinityToken: AffinityToken;
} {
  requireIrql('PsAllocateAffinityToken', VIOLATION.KernelApi, IRQL.APC_LEVEL);
  return { status: STATUS.SUCCESS, affinityToken: new AffinityToken() };
}

/** A token that is freed cannot be used any more. @irql at most APC_LEVEL @nt PsFreeAffinityToken */
export function PsFreeAffinityToken(affinityToken: AffinityToken): void {
  requireIrql('PsFreeAffinityToken', VIOLATION.KernelApi, IRQL.APC_LEVEL);
  affinityToken.freed = true;
}

/**
 * Lets the calling thread run on these processors alone, and fills the token with what was before.
 *
 * @returns SUCCESS; INVALID_PARAMETER for a count of 0, a group or mask that is not valid, or a token
 *   that is in use or freed: nothing has changed then.
 * @irql at most APC_LEVEL
 * @nt PsSetSystemMultipleGroupAffinityThread (partial: the thread gets the processors of the first group alone)
 */
export function PsSetSystemMultipleGroupAffinityThread(
  groupAffinities: readonly GroupAffinity[],
  groupCount: number,
  affinityToken: AffinityToken,
): NtCall<number> {
  const routine = 'PsSetSystemMultipleGroupAffinityThread';
  return new NtCall(routine, () =>
    setSystemMultipleGroupAffinityThread(routine, groupAffinities, groupCount, affinityToken),
  );
}

function* setSystemMultipleGroupAffinityThread(
  routine: string,
  groupAffinities: readonly GroupAffinity[],
  groupCount: number,
  affinityToken: AffinityToken,
): KernelCode<number> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  const { machine } = currentGuest(routine);
  const [first] = groupAffinities;
  const asked = groupAffinities.slice(0, groupCount);
  const valid = asked.every(
    ({ Mask, Group }) => Mask > 0n && (Mask & ~machine.groupAffinity(Group)) === 0n,
  );
  const usable = !affinityToken.freed && affinityToken.previous === undefined;
  if (first === undefined || groupCount < 1 || !valid || !usable) return STATUS.INVALID_PARAMETER;
  affinityToken.previous = yield* KeSetSystemGroupAffinityThread(first);
  return STATUS.SUCCESS;
}

/** Takes back what filled the token; nothing happens with a token that no set has filled. @irql at most APC_LEVEL @nt PsRevertToUserMultipleGroupAffinityThread */
export function PsRevertToUserMultipleGroupAffinityThread(
  affinityToken: AffinityToken,
): NtCall<void> {
  const routine = 'PsRevertToUserMultipleGroupAffinityThread';
  return new NtCall(routine, () => revertToUserMultipleGroupAffinityThread(routine, affinityToken));
}

function* revertToUserMultipleGroupAffinityThread(
  routine: string,
  affinityToken: AffinityToken,
): KernelCode<void> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  const { previous } = affinityToken;
  if (previous === undefined || affinityToken.freed) return;
  affinityToken.previous = undefined;
  yield* KeRevertToUserGroupAffinityThread(previous);
}
