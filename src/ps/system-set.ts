import { STATUS } from '../../assembly/shared/status';
import { ddiTime, type KernelCode, systemService } from '../ke/mode';
import { KeQueryTimeIncrement } from '../ke/time';
import { currentGuest } from '../machine/guest';
import { SE_PRIVILEGE, SeSinglePrivilegeCheck } from '../ob/security';

/** NtSetSystemInformation: what of the machine as a whole can be changed. */

/** SYSTEM_INFORMATION_CLASS, of what can be set. */
export const enum SYSTEM_SET_CLASS {
  SystemTimeAdjustmentInformation = 28,
}

/** SYSTEM_SET_TIME_ADJUST_INFORMATION. */
export interface SystemTimeAdjustment {
  /** 100 ns by which the system time goes on in a time increment. Not read if Enable is true. */
  readonly TimeAdjustment: number;
  /** Whether the system time goes on by itself: by the time increment. */
  readonly Enable: boolean;
}

/** Bytes of SYSTEM_SET_TIME_ADJUST_INFORMATION. */
const TIME_ADJUST_BYTES = 8;

const setSystemInformation = systemService(
  'SetSystemInformation',
  function* (
    mode,
    systemInformationClass: SYSTEM_SET_CLASS,
    systemInformation: SystemTimeAdjustment,
    systemInformationLength: number,
  ): KernelCode<number> {
    if (systemInformationClass !== SYSTEM_SET_CLASS.SystemTimeAdjustmentInformation)
      return STATUS.INVALID_INFO_CLASS;
    if (systemInformationLength !== TIME_ADJUST_BYTES) return STATUS.INFO_LENGTH_MISMATCH;
    if (!SeSinglePrivilegeCheck(SE_PRIVILEGE.SYSTEMTIME, mode)) return STATUS.PRIVILEGE_NOT_HELD;
    yield ddiTime(currentGuest('NtSetSystemInformation').machine);
    const { Enable, TimeAdjustment } = systemInformation;
    if (Enable || TimeAdjustment === KeQueryTimeIncrement()) return STATUS.SUCCESS;
    return TimeAdjustment === 0 ? STATUS.INTEGER_DIVIDE_BY_ZERO : STATUS.NOT_IMPLEMENTED;
  },
);

/**
 * Changes what a class says of the machine.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_INFO_CLASS; STATUS_INFO_LENGTH_MISMATCH;
 *   STATUS_PRIVILEGE_NOT_HELD; STATUS_INTEGER_DIVIDE_BY_ZERO of an adjustment of 0.
 * @irql PASSIVE_LEVEL
 * @nt NtSetSystemInformation (partial: the time adjustment alone, which stays the time increment: another one is STATUS_NOT_IMPLEMENTED)
 */
export const NtSetSystemInformation = setSystemInformation.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSetSystemInformation (partial: the time adjustment alone, which stays the time increment: another one is STATUS_NOT_IMPLEMENTED) */
export const ZwSetSystemInformation = setSystemInformation.zw;
