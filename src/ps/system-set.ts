import { STATUS } from '../../assembly/shared/status';
import { ddiTime, type KernelCode, systemService } from '../ke/mode';
import { currentGuest } from '../machine/guest';
import { SE_PRIVILEGE, SeSinglePrivilegeCheck } from '../ob/security';
import { type BadPointer, isBadPointer } from './information';
import { SYSTEM_INFORMATION_CLASS } from './system-class';

/** What can be changed of the machine as a whole. */

/** SYSTEM_SET_TIME_ADJUST_INFORMATION. */
export interface SystemSetTimeAdjustment {
  /** 100 ns that each clock interval counts as. */
  readonly TimeAdjustment: number;
  /** TRUE: as many as it takes, whatever TimeAdjustment is. */
  readonly Enable: boolean;
}

const TIME_ADJUSTMENT_BYTES = 8;

const setSystemInformation = systemService(
  'SetSystemInformation',
  function* (
    mode,
    systemInformationClass: number,
    systemInformation: SystemSetTimeAdjustment | BadPointer | null,
    systemInformationLength: number,
  ): KernelCode<number> {
    const { machine } = currentGuest('NtSetSystemInformation');
    yield ddiTime(machine);
    if (systemInformationClass !== SYSTEM_INFORMATION_CLASS.SystemTimeAdjustmentInformation)
      return STATUS.INVALID_INFO_CLASS;
    if (systemInformationLength !== TIME_ADJUSTMENT_BYTES) return STATUS.INFO_LENGTH_MISMATCH;
    if (!SeSinglePrivilegeCheck(SE_PRIVILEGE.SYSTEMTIME, mode)) return STATUS.PRIVILEGE_NOT_HELD;
    if (systemInformation === null || isBadPointer(systemInformation))
      return STATUS.ACCESS_VIOLATION;
    const { TimeAdjustment, Enable } = systemInformation;
    if (Enable) return STATUS.SUCCESS;
    if (TimeAdjustment === 0) return STATUS.INTEGER_DIVIDE_BY_ZERO;
    const exact = TimeAdjustment === machine.profile.clockIntervalNs / 100;
    return exact ? STATUS.SUCCESS : STATUS.NOT_IMPLEMENTED;
  },
);

/**
 * Changes how much the clock adds to the system time a tick.
 *
 * @returns SUCCESS; INVALID_INFO_CLASS; INFO_LENGTH_MISMATCH; PRIVILEGE_NOT_HELD without
 *   SeSystemtimePrivilege; INTEGER_DIVIDE_BY_ZERO for none; NOT_IMPLEMENTED for another rate than the
 *   clock's own.
 * @irql PASSIVE_LEVEL
 * @nt NtSetSystemInformation (partial: SystemTimeAdjustmentInformation alone, which cannot make the clock go faster or slower)
 */
export const NtSetSystemInformation = setSystemInformation.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSetSystemInformation (partial: SystemTimeAdjustmentInformation alone, which cannot make the clock go faster or slower) */
export const ZwSetSystemInformation = setSystemInformation.zw;
