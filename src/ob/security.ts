import { MODE } from '../../assembly/shared/types';

/** Privileges, as far as they are asked for. */

/** LUIDs of privileges. */
export const enum SE_PRIVILEGE {
  CREATE_TOKEN = 2,
  ASSIGN_PRIMARY_TOKEN = 3,
  LOCK_MEMORY = 4,
  INCREASE_QUOTA = 5,
  TCB = 7,
  SECURITY = 8,
  LOAD_DRIVER = 10,
  SYSTEMTIME = 12,
  INCREASE_BASE_PRIORITY = 14,
  CREATE_PERMANENT = 16,
  DEBUG = 20,
}

/** Whether the caller holds a privilege. @irql PASSIVE_LEVEL @nt SeSinglePrivilegeCheck (partial: kernel mode holds every one, user mode none) */
export function SeSinglePrivilegeCheck(_privilege: SE_PRIVILEGE, previousMode: MODE): boolean {
  return previousMode === MODE.KernelMode;
}
