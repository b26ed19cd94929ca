import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { DriverUnloadError } from '../machine/driver';
import type { RunResult } from '../machine/result';

/** Which rule a driver broke with which the machine has stopped. */

export type Stop = Extract<RunResult, { readonly reason: 'bugcheck' }>;

const BY_CODE: Readonly<Record<number, string>> = {
  [BUGCHECK.SYSTEM_EXIT_OWNED_MUTEX]: 'LK-02',
  [BUGCHECK.KERNEL_LOCK_ENTRY_LEAKED_ON_THREAD_TERMINATION]: 'LK-02',
  [BUGCHECK.THREAD_TERMINATE_HELD_MUTEX]: 'LK-02',
  [BUGCHECK.SPIN_LOCK_NOT_OWNED]: 'LK-04',
  [BUGCHECK.RESOURCE_NOT_OWNED]: 'LK-04',
  [BUGCHECK.RESOURCE_OWNER_POINTER_INVALID]: 'LK-04',
  [BUGCHECK.SHARED_RESOURCE_CONV_ERROR]: 'LK-04',
  [BUGCHECK.INVALID_PUSH_LOCK_FLAGS]: 'LK-04',
  [BUGCHECK.KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE]: 'LK-04',
  [BUGCHECK.ERESOURCE_INVALID_RELEASE]: 'LK-04',
  [BUGCHECK.DRIVER_RETURNED_HOLDING_CANCEL_LOCK]: 'LK-02',
  [BUGCHECK.IRQL_NOT_GREATER_OR_EQUAL]: 'IR-01',
  [BUGCHECK.KERNEL_AUTO_BOOST_LOCK_ACQUISITION_WITH_RAISED_IRQL]: 'IR-01',
  [BUGCHECK.IRQL_NOT_LESS_OR_EQUAL]: 'IR-02',
  [BUGCHECK.ATTEMPTED_SWITCH_FROM_DPC]: 'IR-02',
  [BUGCHECK.IRQL_UNEXPECTED_VALUE]: 'IR-03',
  [BUGCHECK.WORKER_THREAD_RETURNED_AT_BAD_IRQL]: 'IR-03',
  [BUGCHECK.APC_INDEX_MISMATCH]: 'AP-01',
  [BUGCHECK.KERNEL_APC_PENDING_DURING_EXIT]: 'AP-01',
  [BUGCHECK.INVALID_PROCESS_ATTACH_ATTEMPT]: 'AP-01',
  [BUGCHECK.INVALID_PROCESS_DETACH_ATTEMPT]: 'AP-01',
  [BUGCHECK.DPC_WATCHDOG_VIOLATION]: 'DP-01',
  [BUGCHECK.TIMER_OR_DPC_INVALID]: 'DP-02',
  [BUGCHECK.REFERENCE_BY_POINTER]: 'OB-01',
  [BUGCHECK.INVALID_KERNEL_HANDLE]: 'OB-02',
  [BUGCHECK.BAD_POOL_CALLER]: 'OB-04',
  [BUGCHECK.QUOTA_UNDERFLOW]: 'OB-04',
  [BUGCHECK.WORKER_INVALID]: 'WK-01',
  [BUGCHECK.INVALID_WORK_QUEUE_ITEM]: 'WK-01',
  [BUGCHECK.ACTIVE_EX_WORKER_THREAD_TERMINATION]: 'WK-01',
  [BUGCHECK.IMPERSONATING_WORKER_THREAD]: 'WK-02',
  [BUGCHECK.WORKER_THREAD_RETURNED_WITH_BAD_IO_PRIORITY]: 'WK-02',
  [BUGCHECK.WORKER_THREAD_RETURNED_WITH_NON_DEFAULT_PAGE_PRIORITY]: 'WK-02',
  [BUGCHECK.WORKER_THREAD_RETURNED_WHILE_ATTACHED_TO_SILO]: 'WK-02',
  [BUGCHECK.UNEXPECTED_KERNEL_MODE_TRAP]: 'ST-01',
  [BUGCHECK.KERNEL_STACK_LOCKED_AT_EXIT]: 'ST-01',
};

/** Violations of Driver Verifier, by what they are about. */
function ruleOfViolation(violation: number): string {
  if (violation === 0x120) return 'IR-02';
  if ((violation >= 0x37 && violation <= 0x3a) || violation === 0xea || violation === 0xeb)
    return 'LK-05';
  if (violation >= 0x1000 && violation < 0x2000) return violation === 0x100a ? 'LK-02' : 'LK-04';
  if (violation >= 0xd0 && violation <= 0xd7) return 'LK-04';
  if (violation === 0x121 || violation === 0x122) return 'BC-01';
  return 'IR-01';
}

/** What is left of a driver that is no callback. */
const ASYNCHRONOUS = /DPC|interrupt|system thread|work item/;

/** The rule that has its own name for what stopped the machine; BC-01 is the rest. */
export function ruleOfStop({ code, parameters, stack, cause }: Stop): string {
  if (cause instanceof DriverUnloadError)
    return cause.leftovers.every(({ what }) => ASYNCHRONOUS.test(what)) ? 'UN-01' : 'CB-10';
  const [first] = stack;
  const waits = first === 'KeDelayExecutionThread' || first?.startsWith('KeWaitFor') === true;
  if (code === BUGCHECK.DRIVER_VERIFIER_DETECTED_VIOLATION)
    return waits ? 'IR-02' : ruleOfViolation(Number(parameters[0]));
  if (code === BUGCHECK.IRQL_NOT_LESS_OR_EQUAL && first === 'KeLowerIrql') return 'IR-01';
  if (first === 'ObUnRegisterCallbacks' && code === BUGCHECK.SYSTEM_THREAD_EXCEPTION_NOT_HANDLED)
    return 'OB-03';
  if (code === BUGCHECK.TIMER_OR_DPC_INVALID && (parameters[0] === 4n || parameters[0] === 5n))
    return 'AP-01';
  return BY_CODE[code] ?? 'BC-01';
}
