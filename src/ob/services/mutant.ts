import { KeReleaseMutant } from '../../ke/ddi';
import { systemService } from '../../ke/mode';
import { currentGuest } from '../../machine/guest';
import type { KMutant } from '../../machine/views';
import type { Handle, ObjectAttributes } from '../attributes';
import { ObpCreateObject, ObpOpenObjectByName } from '../create';
import type { InformationBuffer, InformationClass } from '../information';
import { ExMutantObjectType } from '../types';
import { changeHandle, queryHandle } from './on-handle';

/** Mutants by handle. */

/** Rights of mutants: MUTANT_QUERY_STATE is `MUTANT_ACCESS.QUERY_STATE`. */
export const enum MUTANT_ACCESS {
  QUERY_STATE = 1,
  ALL_ACCESS = 0x1f0001,
}

const MUTANT_INCREMENT = 1;

const createMutant = systemService(
  'CreateMutant',
  (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    initialOwner: boolean,
  ) => {
    const { machine, thread } = currentGuest('NtCreateMutant');
    const owner = initialOwner ? thread : undefined;
    return ObpCreateObject({
      mode,
      type: ExMutantObjectType,
      desiredAccess,
      attributes: objectAttributes,
      make: () => (machine.hasObjectRoom ? machine.createMutant(owner) : undefined),
    });
  },
);

/**
 * Makes a mutant, free or the caller's, or opens the one of its name if OBJ_OPENIF allows.
 *
 * @returns a handle with STATUS_SUCCESS, or STATUS_OBJECT_NAME_EXISTS if it was there: its owner is
 *   who it was then.
 * @irql PASSIVE_LEVEL   @nt NtCreateMutant
 */
export const NtCreateMutant = createMutant.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateMutant */
export const ZwCreateMutant = createMutant.zw;

const openMutant = systemService(
  'OpenMutant',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) =>
    ObpOpenObjectByName(mode, ExMutantObjectType, desiredAccess, objectAttributes),
);

/** Opens the mutant of a name. @irql PASSIVE_LEVEL @nt NtOpenMutant */
export const NtOpenMutant = openMutant.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenMutant */
export const ZwOpenMutant = openMutant.zw;

const releaseMutant = systemService('ReleaseMutant', (mode, handle: Handle) =>
  changeHandle(mode, handle, 0, ExMutantObjectType, function* (mutant: KMutant) {
    return yield* KeReleaseMutant(mutant, MUTANT_INCREMENT, false, false);
  }),
);

/**
 * Takes one acquisition back, and gives the SignalState before: 0 if the mutant is free now. It takes
 * no access to do so.
 *
 * @returns STATUS_SUCCESS; STATUS_MUTANT_NOT_OWNED; STATUS_ABANDONED of an abandoned one.
 * @irql PASSIVE_LEVEL   @nt NtReleaseMutant
 */
export const NtReleaseMutant = releaseMutant.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwReleaseMutant */
export const ZwReleaseMutant = releaseMutant.zw;

/** MUTANT_BASIC_INFORMATION. */
export interface MutantBasicInformation {
  /** SignalState: 1 if it is free. */
  readonly CurrentCount: number;
  readonly OwnedByCaller: boolean;
  readonly AbandonedState: boolean;
}

/** MUTANT_INFORMATION_CLASS. */
export const enum MUTANT_INFORMATION_CLASS {
  MutantBasicInformation = 0,
}

const MUTANT_BASIC: InformationClass<KMutant, MutantBasicInformation> = {
  lengths: [8],
  query: (mutant) => ({
    CurrentCount: mutant.signalState,
    OwnedByCaller: mutant.owner === currentGuest('NtQueryMutant').thread,
    AbandonedState: mutant.abandoned,
  }),
};

const queryMutant = systemService(
  'QueryMutant',
  (mode, handle: Handle, informationClass: MUTANT_INFORMATION_CLASS, length: InformationBuffer) => {
    const known = informationClass === MUTANT_INFORMATION_CLASS.MutantBasicInformation;
    const information = known ? MUTANT_BASIC : undefined;
    const access = MUTANT_ACCESS.QUERY_STATE;
    return queryHandle(mode, handle, access, ExMutantObjectType, information, length);
  },
);

/** Whose a mutant is: 8 bytes. @irql PASSIVE_LEVEL @nt NtQueryMutant (partial: no MutantOwnerInformation) */
export const NtQueryMutant = queryMutant.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueryMutant (partial: no MutantOwnerInformation) */
export const ZwQueryMutant = queryMutant.zw;
