import { STATUS } from '../../assembly/shared/status';
import type { KProcess, KThread } from '../machine/views';
import { SE_PRIVILEGE, SeSinglePrivilegeCheck } from '../ob/security';
import { type Caller, numberIn, ULONG_MAX } from './information';

/** What is set of a process and of a thread alike; it is kept and told, and changes nothing. */

const MAXIMUM_PAGE_PRIORITY = 5;
/** IO_PRIORITY_HINT: from High on with SeIncreaseBasePriorityPrivilege, up to Critical. */
const IO_PRIORITY_HIGH = 3;
const IO_PRIORITY_CRITICAL = 4;
const POWER_THROTTLING_VERSION = 1;
const POWER_THROTTLING_EXECUTION_SPEED = 1;

/** POWER_THROTTLING_THREAD_STATE. */
export interface PowerThrottlingState {
  readonly Version: number;
  readonly ControlMask: number;
  readonly StateMask: number;
}

export class Hints {
  /** IO_PRIORITY_HINT. */
  ioPriority = 2;
  /** 1 very low to 5 normal. */
  pagePriority = 5;
  /** ControlMask and StateMask of POWER_THROTTLING_THREAD_STATE or POWER_THROTTLING_PROCESS_STATE. */
  throttlingControl = 0;
  throttlingState = 0;
}

/** Whether the caller may have priorities above the usual ones. */
export const mayRaise = ({ mode }: Caller) =>
  SeSinglePrivilegeCheck(SE_PRIVILEGE.INCREASE_BASE_PRIORITY, mode);

export function throttlingOf({
  throttlingControl,
  throttlingState,
}: Readonly<Hints>): PowerThrottlingState {
  return {
    Version: POWER_THROTTLING_VERSION,
    ControlMask: throttlingControl,
    StateMask: throttlingState,
  };
}

/** Whether a state is well formed: version 1, the execution speed alone. */
function isThrottling({ Version, ControlMask, StateMask }: PowerThrottlingState): boolean {
  const known = (ControlMask & ~POWER_THROTTLING_EXECUTION_SPEED) === 0;
  return Version === POWER_THROTTLING_VERSION && known && (StateMask & ~ControlMask) === 0;
}

/** How the classes of processes or threads set them: in what `own` gives, once all has been checked. */
export function hintSetters<T extends KProcess | KThread>(
  of: 'Process' | 'Thread',
  own: (object: T) => Hints,
) {
  return {
    setIoPriority(object: T, value: number, caller: Caller): number {
      const priority = numberIn(`${of}IoPriority`, value, 0, ULONG_MAX);
      if (priority > IO_PRIORITY_CRITICAL) return STATUS.INVALID_PARAMETER;
      if (priority >= IO_PRIORITY_HIGH && !mayRaise(caller)) return STATUS.PRIVILEGE_NOT_HELD;
      own(object).ioPriority = priority;
      return STATUS.SUCCESS;
    },
    setPagePriority(object: T, value: number): number {
      const priority = numberIn(`${of}PagePriority`, value, 0, ULONG_MAX);
      if (priority < 1 || priority > MAXIMUM_PAGE_PRIORITY) return STATUS.INVALID_PARAMETER;
      own(object).pagePriority = priority;
      return STATUS.SUCCESS;
    },
    setThrottling(object: T, state: PowerThrottlingState): number {
      if (!isThrottling(state)) return STATUS.INVALID_PARAMETER;
      const hints = own(object);
      hints.throttlingControl = state.ControlMask;
      hints.throttlingState = state.StateMask;
      return STATUS.SUCCESS;
    },
  };
}
