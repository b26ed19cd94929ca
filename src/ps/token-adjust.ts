import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { HOST_ROUTINE, requireIrql, VIOLATION } from '../ke/call';
import { ddiTime, type KernelCode, systemService } from '../ke/mode';
import { NtCall } from '../machine/guest';
import type { Handle } from '../ob/attributes';
import {
  type PrivilegeAndAttributes,
  SE_GROUP,
  SE_PRIVILEGE,
  SE_PRIVILEGE_ATTRIBUTE,
  type SidAndAttributes,
} from '../ob/privilege';
import { onHandle } from '../ob/services/on-handle';
import type { Token } from '../ob/token';
import { SeTokenObjectType } from '../ob/types';
import { TOKEN_ACCESS } from './token';

/** What is changed of tokens: privileges are enabled and disabled, and filtered tokens made. */

/** What NtAdjustPrivilegesToken comes to. */
export interface AdjustedPrivileges {
  readonly status: number;
  /** Those that have changed, as they were before; undefined: not asked for, or a failure. */
  readonly previousState: readonly PrivilegeAndAttributes[] | undefined;
  /** Bytes of PreviousState; undefined: not asked for. */
  readonly returnLength: number | undefined;
}

/** TOKEN_PRIVILEGES: a count, and LUID_AND_ATTRIBUTES for each. */
const COUNT_BYTES = 4;
const PRIVILEGE_BYTES = 12;

/** Bytes of TOKEN_PRIVILEGES with a number of privileges. */
export function privilegesLength(count: number): number {
  return COUNT_BYTES + PRIVILEGE_BYTES * count;
}

const ENABLED = SE_PRIVILEGE_ATTRIBUTE.ENABLED;
const REMOVED = SE_PRIVILEGE_ATTRIBUTE.REMOVED;

/** What a token's privileges are to become: of those that it has and that change. */
function changesOf(
  token: Token,
  disableAll: boolean,
  newState: readonly PrivilegeAndAttributes[],
): { before: PrivilegeAndAttributes; after: number }[] {
  const asked = disableAll
    ? token.privileges.map(({ Luid }) => ({ Luid, Attributes: 0 }))
    : newState;
  return asked.flatMap(({ Luid, Attributes }) => {
    const attributes = token.privilege(Luid);
    if (attributes === undefined) return [];
    const after =
      (Attributes & REMOVED) !== 0 ? REMOVED : (attributes & ~ENABLED) | (Attributes & ENABLED);
    return after === attributes ? [] : [{ before: { Luid, Attributes: attributes }, after }];
  });
}

function adjust(
  token: Token,
  disableAll: boolean,
  newState: readonly PrivilegeAndAttributes[],
  bufferLength: number,
): AdjustedPrivileges {
  const changes = changesOf(token, disableAll, newState);
  const returnLength = bufferLength === 0 ? undefined : privilegesLength(changes.length);
  if (returnLength !== undefined && returnLength > bufferLength)
    return { status: STATUS.BUFFER_TOO_SMALL, previousState: undefined, returnLength };
  for (const { before, after } of changes) {
    if (after === REMOVED) token.removePrivilege(before.Luid);
    else token.setPrivilege(before.Luid, after);
  }
  const missing = (privilege: PrivilegeAndAttributes) =>
    token.privilege(privilege.Luid) === undefined && (privilege.Attributes & REMOVED) === 0;
  const status = !disableAll && newState.some(missing) ? STATUS.NOT_ALL_ASSIGNED : STATUS.SUCCESS;
  const previousState = bufferLength === 0 ? undefined : changes.map(({ before }) => before);
  return { status, previousState, returnLength };
}

const adjustPrivilegesToken = systemService(
  'AdjustPrivilegesToken',
  function* (
    mode,
    tokenHandle: Handle,
    disableAllPrivileges: boolean,
    newState: readonly PrivilegeAndAttributes[] | null,
    bufferLength: number,
  ): KernelCode<AdjustedPrivileges> {
    const none = { previousState: undefined, returnLength: undefined };
    if (!disableAllPrivileges && newState === null)
      return { status: STATUS.INVALID_PARAMETER, ...none };
    const access = TOKEN_ACCESS.ADJUST_PRIVILEGES | (bufferLength === 0 ? 0 : TOKEN_ACCESS.QUERY);
    const result = yield* onHandle(
      mode,
      tokenHandle,
      access,
      SeTokenObjectType,
      function* (token: Token) {
        yield ddiTime(token.machine);
        return adjust(token, disableAllPrivileges, newState ?? [], bufferLength);
      },
    );
    return typeof result === 'number' ? { status: result, ...none } : result;
  },
);

/**
 * Enables, disables or removes privileges that a token has. A `bufferLength` other than 0 asks for
 * what they were.
 *
 * @returns STATUS_SUCCESS; STATUS_NOT_ALL_ASSIGNED if the token lacks some: the others have changed;
 *   STATUS_BUFFER_TOO_SMALL: none has; STATUS_ACCESS_DENIED without TOKEN_ADJUST_PRIVILEGES.
 * @irql PASSIVE_LEVEL   @nt NtAdjustPrivilegesToken
 */
export const NtAdjustPrivilegesToken = adjustPrivilegesToken.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwAdjustPrivilegesToken */
export const ZwAdjustPrivilegesToken = adjustPrivilegesToken.zw;

/** Flags of SeFilterToken. */
export const enum FILTER_TOKEN {
  /** Every privilege but SeChangeNotifyPrivilege goes. */
  DISABLE_MAX_PRIVILEGE = 1,
  SANDBOX_INERT = 2,
  LUA_TOKEN = 4,
  WRITE_RESTRICTED = 8,
}

/** What SeFilterToken gives; the token has one reference, and there is none on failure. */
export interface FilteredToken {
  readonly status: number;
  readonly filteredToken: Token | undefined;
}

/**
 * Makes a token that may do less: without privileges, with groups that count for denying alone, and
 * restricted to SIDs, whose attributes must be 0.
 *
 * @returns STATUS_SUCCESS with the token; STATUS_INVALID_PARAMETER.
 * @irql PASSIVE_LEVEL   @nt SeFilterToken
 */
export function SeFilterToken(
  existingToken: Token,
  flags: number,
  sidsToDisable: readonly SidAndAttributes[] | null,
  privilegesToDelete: readonly PrivilegeAndAttributes[] | null,
  restrictedSids: readonly SidAndAttributes[] | null,
): NtCall<FilteredToken> {
  const routine = 'SeFilterToken';
  return new NtCall(routine, () =>
    seFilterToken(routine, existingToken, flags, sidsToDisable, privilegesToDelete, restrictedSids),
  );
}

function* seFilterToken(
  routine: string,
  existingToken: Token,
  flags: number,
  sidsToDisable: readonly SidAndAttributes[] | null,
  privilegesToDelete: readonly PrivilegeAndAttributes[] | null,
  restrictedSids: readonly SidAndAttributes[] | null,
): KernelCode<FilteredToken> {
  requireIrql(routine, VIOLATION.IrqlPsPassive, IRQL.PASSIVE_LEVEL);
  yield HOST_ROUTINE;
  if (restrictedSids?.some(({ Attributes }) => Attributes !== 0) === true)
    return { status: STATUS.INVALID_PARAMETER, filteredToken: undefined };
  const token = existingToken.duplicate(
    existingToken.type,
    existingToken.impersonationLevel,
    false,
  );
  const disabled = new Set(sidsToDisable?.map(({ Sid }) => Sid));
  token.groups = token.groups.map((group) =>
    disabled.has(group.Sid) ? { Sid: group.Sid, Attributes: SE_GROUP.USE_FOR_DENY_ONLY } : group,
  );
  const all = (flags & FILTER_TOKEN.DISABLE_MAX_PRIVILEGE) !== 0;
  const deleted = new Set(privilegesToDelete?.map(({ Luid }) => Luid));
  for (const { Luid } of token.privileges) {
    if (deleted.has(Luid) || (all && Luid !== SE_PRIVILEGE.CHANGE_NOTIFY))
      token.removePrivilege(Luid);
  }
  if (restrictedSids !== null && restrictedSids.length !== 0) {
    const { isRestricted, restrictedSids: own } = existingToken;
    const both = ({ Sid }: SidAndAttributes) =>
      !isRestricted || own.some((other) => other.Sid === Sid);
    token.restrictedSids = restrictedSids.filter(both);
    token.isRestricted = true;
  }
  return { status: STATUS.SUCCESS, filteredToken: token };
}

/** @returns whether a token is restricted to some SIDs. @irql PASSIVE_LEVEL @nt SeTokenIsRestricted */
export function SeTokenIsRestricted(token: Token): boolean {
  return token.isRestricted;
}

/** @returns whether a token is one of an administrator's. @irql PASSIVE_LEVEL @nt SeTokenIsAdmin */
export function SeTokenIsAdmin(token: Token): boolean {
  return token.isAdministrator;
}

/** @returns whether a token is a primary one or for impersonation. @irql PASSIVE_LEVEL @nt SeTokenType */
export function SeTokenType(token: Token): Token['type'] {
  return token.type;
}
