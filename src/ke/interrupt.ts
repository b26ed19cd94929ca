import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { currentGuest } from '../machine/guest';
import type { KInterrupt, KSpinLock, ServiceRoutine } from '../machine/spinlock';
import { requireIrql, VIOLATION } from './call';

/** KINTERRUPT_MODE. */
export enum KINTERRUPT_MODE {
  LevelSensitive = 0,
  Latched = 1,
}

/**
 * Connects a service routine to a device interrupt. The vector, mode, sharing and processors are the
 * scenario's: `machine.scheduleInterrupt` says when and on which processor it comes.
 *
 * @returns STATUS_SUCCESS and the interrupt; STATUS_INVALID_PARAMETER and null for levels that are no
 *   DIRQLs (3-12), a synchronisation level below the interrupt's, or no processor.
 * @irql PASSIVE_LEVEL
 * @nt IoConnectInterrupt (partial: vector, mode, sharing and floating save are not looked at)
 */
export function IoConnectInterrupt(
  serviceRoutine: ServiceRoutine,
  serviceContext: unknown,
  spinLock: KSpinLock | null,
  _vector: number,
  irql: number,
  synchronizeIrql: number,
  _interruptMode: KINTERRUPT_MODE,
  _shareVector: boolean,
  processorEnableMask: bigint,
  _floatingSave: boolean,
): { readonly status: number; readonly value: KInterrupt | null } {
  const routine = 'IoConnectInterrupt';
  requireIrql(routine, VIOLATION.IrqlIoPassive, IRQL.PASSIVE_LEVEL);
  const isDirql = (level: number) => level >= IRQL.LOW_DIRQL && level <= IRQL.HIGH_DIRQL;
  if (!isDirql(irql) || !isDirql(synchronizeIrql) || synchronizeIrql < irql) {
    return { status: STATUS.INVALID_PARAMETER, value: null };
  }
  const { machine } = currentGuest(routine);
  if ((processorEnableMask & machine.groupAffinity(0)) === 0n) {
    return { status: STATUS.INVALID_PARAMETER, value: null };
  }
  const lock = spinLock === null ? {} : { spinLock };
  const value = machine.connectInterrupt({
    ...{ irql, synchronizeIrql, serviceRoutine, serviceContext },
    ...lock,
  });
  return { status: STATUS.SUCCESS, value };
}

/** @irql PASSIVE_LEVEL @nt IoDisconnectInterrupt */
export function IoDisconnectInterrupt(interrupt: KInterrupt): void {
  requireIrql('IoDisconnectInterrupt', VIOLATION.IrqlIoPassive, IRQL.PASSIVE_LEVEL);
  interrupt.disconnect();
}
