import { STATUS } from '../../../assembly/shared/status';
import { KeReleaseSemaphore } from '../../ke/ddi';
import { type KernelCode, systemService } from '../../ke/mode';
import { currentGuest } from '../../machine/guest';
import type { KSemaphore } from '../../machine/views';
import { failed, type Handle, type HandleResult, type ObjectAttributes } from '../attributes';
import { ObpCreateObject, ObpOpenObjectByName } from '../create';
import type { InformationBuffer, InformationClass } from '../information';
import { ExSemaphoreObjectType } from '../types';
import { changeHandle, type PreviousState, queryHandle } from './on-handle';

/** Semaphores by handle. */

/** Rights of semaphores: SEMAPHORE_QUERY_STATE is `SEMAPHORE_ACCESS.QUERY_STATE`. */
export const enum SEMAPHORE_ACCESS {
  QUERY_STATE = 1,
  MODIFY_STATE = 2,
  ALL_ACCESS = 0x1f0003,
}

const SEMAPHORE_INCREMENT = 1;
const MAXLONG = 0x7fffffff;

/** Whether a number is a LONG above 0. */
function isPositive(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= MAXLONG;
}

const createSemaphore = systemService(
  'CreateSemaphore',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    initialCount: number,
    maximumCount: number,
  ): KernelCode<HandleResult> {
    const startsWell = initialCount === 0 || isPositive(initialCount);
    if (!isPositive(maximumCount) || !startsWell || initialCount > maximumCount)
      return failed(STATUS.INVALID_PARAMETER);
    const { machine } = currentGuest('NtCreateSemaphore');
    return yield* ObpCreateObject({
      mode,
      type: ExSemaphoreObjectType,
      desiredAccess,
      attributes: objectAttributes,
      make: () =>
        machine.hasObjectRoom ? machine.createSemaphore(initialCount, maximumCount) : undefined,
    });
  },
);

/**
 * Makes a semaphore, or opens the one of its name if OBJ_OPENIF allows.
 *
 * @returns a handle with STATUS_SUCCESS, or STATUS_OBJECT_NAME_EXISTS if it was there;
 *   STATUS_INVALID_PARAMETER for a maximum below 1 or a count that is not from 0 to that.
 * @irql PASSIVE_LEVEL   @nt NtCreateSemaphore
 */
export const NtCreateSemaphore = createSemaphore.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateSemaphore */
export const ZwCreateSemaphore = createSemaphore.zw;

const openSemaphore = systemService(
  'OpenSemaphore',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) =>
    ObpOpenObjectByName(mode, ExSemaphoreObjectType, desiredAccess, objectAttributes),
);

/** Opens the semaphore of a name. @irql PASSIVE_LEVEL @nt NtOpenSemaphore */
export const NtOpenSemaphore = openSemaphore.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenSemaphore */
export const ZwOpenSemaphore = openSemaphore.zw;

const releaseSemaphore = systemService(
  'ReleaseSemaphore',
  function* (mode, handle: Handle, releaseCount: number): KernelCode<PreviousState> {
    if (!isPositive(releaseCount))
      return { status: STATUS.INVALID_PARAMETER, previousState: undefined };
    const access = SEMAPHORE_ACCESS.MODIFY_STATE;
    const type = ExSemaphoreObjectType;
    return yield* changeHandle(mode, handle, access, type, function* (semaphore: KSemaphore) {
      return yield* KeReleaseSemaphore(semaphore, SEMAPHORE_INCREMENT, releaseCount, false);
    });
  },
);

/**
 * Adds to the count, and gives what it was.
 *
 * @returns STATUS_SUCCESS; STATUS_SEMAPHORE_LIMIT_EXCEEDED; STATUS_INVALID_PARAMETER for less than 1.
 * @irql PASSIVE_LEVEL   @nt NtReleaseSemaphore
 */
export const NtReleaseSemaphore = releaseSemaphore.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwReleaseSemaphore */
export const ZwReleaseSemaphore = releaseSemaphore.zw;

/** SEMAPHORE_BASIC_INFORMATION. */
export interface SemaphoreBasicInformation {
  readonly CurrentCount: number;
  readonly MaximumCount: number;
}

/** SEMAPHORE_INFORMATION_CLASS. */
export const enum SEMAPHORE_INFORMATION_CLASS {
  SemaphoreBasicInformation = 0,
}

const SEMAPHORE_BASIC: InformationClass<KSemaphore, SemaphoreBasicInformation> = {
  lengths: [8],
  query: (semaphore) => ({ CurrentCount: semaphore.signalState, MaximumCount: semaphore.limit }),
};

const querySemaphore = systemService(
  'QuerySemaphore',
  (
    mode,
    handle: Handle,
    informationClass: SEMAPHORE_INFORMATION_CLASS,
    length: InformationBuffer,
  ) => {
    const known = informationClass === SEMAPHORE_INFORMATION_CLASS.SemaphoreBasicInformation;
    const information = known ? SEMAPHORE_BASIC : undefined;
    const access = SEMAPHORE_ACCESS.QUERY_STATE;
    return queryHandle(mode, handle, access, ExSemaphoreObjectType, information, length);
  },
);

/** The count and the most it can be: 8 bytes. @irql PASSIVE_LEVEL @nt NtQuerySemaphore */
export const NtQuerySemaphore = querySemaphore.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQuerySemaphore */
export const ZwQuerySemaphore = querySemaphore.zw;
