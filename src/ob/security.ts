import { MODE } from '../../assembly/shared/types';
import { currentGuest } from '../machine/guest';
import type { KThread } from '../machine/views';
import { type SE_PRIVILEGE, SE_PRIVILEGE_ATTRIBUTE } from './privilege';
import {
  defaultPrivileges,
  type Impersonation,
  SECURITY_IMPERSONATION_LEVEL,
  type Token,
} from './token';

export { SE_PRIVILEGE } from './privilege';

/** What a caller is allowed by the privileges of the token that it works with. */

/** Whether the token that a thread works with has a privilege that is enabled. */
export function holdsPrivilege(thread: KThread, privilege: SE_PRIVILEGE): boolean {
  const impersonation = thread.impersonation as Impersonation | undefined;
  if (impersonation !== undefined) {
    const { level, token } = impersonation;
    return level >= SECURITY_IMPERSONATION_LEVEL.SecurityImpersonation && token.holds(privilege);
  }
  const token = thread.process.token as Token | undefined;
  if (token !== undefined) return token.holds(privilege);
  const attributes = defaultPrivileges(thread.process).get(privilege) ?? 0;
  return (attributes & SE_PRIVILEGE_ATTRIBUTE.ENABLED) !== 0;
}

/** Whether the caller holds a privilege: kernel mode every one. @irql PASSIVE_LEVEL @nt SeSinglePrivilegeCheck */
export function SeSinglePrivilegeCheck(privilege: SE_PRIVILEGE, previousMode: MODE): boolean {
  if (previousMode === MODE.KernelMode) return true;
  return holdsPrivilege(currentGuest('SeSinglePrivilegeCheck').thread, privilege);
}
