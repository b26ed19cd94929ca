import { STATUS } from '../../assembly/shared/status';
import { IRQL, type MODE } from '../../assembly/shared/types';
import { HOST_ROUTINE, requireIrql, VIOLATION } from '../ke/call';
import type { KernelCode } from '../ke/mode';
import type { GuestResult } from '../machine/dpc';
import { MachineError } from '../machine/errors';
import { currentGuest, NtCall } from '../machine/guest';
import type { KProcess, KThread } from '../machine/views';
import type { Handle } from '../ob/attributes';
import { ObpReferenceByHandle } from '../ob/handle';
import { ACCOUNTS, type TokenDescription } from '../ob/privilege';
import { noteReference, ObpDereference } from '../ob/reference';
import { SE_PRIVILEGE } from '../ob/security';
import {
  type Impersonation,
  newPrimaryToken,
  primaryToken,
  referenceToken,
  SECURITY_IMPERSONATION_LEVEL,
  TOKEN_TYPE,
  Token,
  tokenHeader,
} from '../ob/token';
import { SeTokenObjectType } from '../ob/types';

/** Whose rights a thread works with: its process's primary token, or that of somebody it impersonates. */

/** Rights of tokens: TOKEN_QUERY is `TOKEN_ACCESS.QUERY`. */
export const enum TOKEN_ACCESS {
  ASSIGN_PRIMARY = 1,
  DUPLICATE = 2,
  IMPERSONATE = 4,
  QUERY = 8,
  QUERY_SOURCE = 0x10,
  ADJUST_PRIVILEGES = 0x20,
  ADJUST_GROUPS = 0x40,
  ADJUST_DEFAULT = 0x80,
  ADJUST_SESSIONID = 0x100,
  READ = 0x20008,
  ALL_ACCESS = 0xf01ff,
}

/** The token of an account, or what it is made of, by the names that accounts usually have. */
export type Account = keyof typeof ACCOUNTS | TokenDescription;

/**
 * Gives a process a primary token in place of the one that it would have. From outside any guest,
 * before anybody has asked for that one.
 */
export function assignAccount(process: KProcess, account: Account): Token {
  if (process.token !== undefined) {
    throw new MachineError(
      `assignAccount: process '${process.name}' has a token already; call it before the process runs`,
    );
  }
  return newPrimaryToken(process, typeof account === 'string' ? ACCOUNTS[account] : account);
}

/** Gives a new process a copy of its parent's token, if that is not the usual one. */
export function inheritToken(parent: KProcess, child: KProcess): void {
  const { systemProcess } = parent.machine;
  if (parent.token === undefined && parent !== systemProcess) return;
  const level = SECURITY_IMPERSONATION_LEVEL.SecurityAnonymous;
  const token = primaryToken(parent).duplicate(TOKEN_TYPE.TokenPrimary, level, false);
  token.inUse = true;
  child.token = token;
}

/** A process that has ended gives its token back. */
export function releaseToken(process: KProcess): GuestResult {
  const token = process.token as Token | undefined;
  if (token === undefined) return;
  process.token = undefined;
  return dereferenceToken(token);
}

function* dereferenceToken(token: Token): KernelCode<void> {
  yield* ObpDereference(tokenHeader(token));
}

const requirePassive = (routine: string) =>
  requireIrql(routine, VIOLATION.IrqlPsPassive, IRQL.PASSIVE_LEVEL);

/** A reference that the code at hand is to give back. */
function takeToken(token: Token): Token {
  const referenced = referenceToken(token);
  noteReference(tokenHeader(token));
  return referenced;
}

/** @returns the primary token of a process, with a reference to it. @irql PASSIVE_LEVEL @nt PsReferencePrimaryToken */
export function PsReferencePrimaryToken(process: KProcess): Token {
  requirePassive('PsReferencePrimaryToken');
  return takeToken(primaryToken(process));
}

function dereference(routine: string, token: Token | null): NtCall<void> {
  return new NtCall(routine, () => dereferenceSteps(routine, token));
}

function* dereferenceSteps(routine: string, token: Token | null): KernelCode<void> {
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.APC_LEVEL);
  yield HOST_ROUTINE;
  if (token === null) return;
  token.machine.watcher?.returns(token);
  yield* ObpDereference(tokenHeader(token));
}

/** Gives a reference of PsReferencePrimaryToken back. @irql below DISPATCH_LEVEL @nt PsDereferencePrimaryToken */
export function PsDereferencePrimaryToken(primaryToken: Token): NtCall<void> {
  return dereference('PsDereferencePrimaryToken', primaryToken);
}

/** What PsReferenceImpersonationToken gives: the fields count only with a token. */
export interface ImpersonationToken {
  readonly token: Token | null;
  readonly copyOnOpen: boolean;
  readonly effectiveOnly: boolean;
  readonly impersonationLevel: SECURITY_IMPERSONATION_LEVEL;
}

/** @returns whom a thread impersonates, with a reference to the token; a token of null for nobody. @irql PASSIVE_LEVEL @nt PsReferenceImpersonationToken */
export function PsReferenceImpersonationToken(thread: KThread): ImpersonationToken {
  requirePassive('PsReferenceImpersonationToken');
  const impersonation = thread.impersonation as Impersonation | undefined;
  if (impersonation === undefined) {
    const impersonationLevel = SECURITY_IMPERSONATION_LEVEL.SecurityAnonymous;
    return { token: null, copyOnOpen: false, effectiveOnly: false, impersonationLevel };
  }
  const { token, copyOnOpen, effectiveOnly, level } = impersonation;
  return { token: takeToken(token), copyOnOpen, effectiveOnly, impersonationLevel: level };
}

/** Gives a reference of PsReferenceImpersonationToken back, if it gave one. @irql below DISPATCH_LEVEL @nt PsDereferenceImpersonationToken */
export function PsDereferenceImpersonationToken(impersonationToken: Token | null): NtCall<void> {
  return dereference('PsDereferenceImpersonationToken', impersonationToken);
}

/** @returns the token that the calling thread works with, with a reference to it. @irql PASSIVE_LEVEL @nt PsReferenceEffectiveToken */
export function PsReferenceEffectiveToken(thread: KThread): Token {
  requirePassive('PsReferenceEffectiveToken');
  const impersonation = thread.impersonation as Impersonation | undefined;
  return takeToken(impersonation?.token ?? primaryToken(thread.process));
}

/** @returns whether the thread impersonates somebody. @irql any @nt PsIsThreadImpersonating */
export function PsIsThreadImpersonating(thread: KThread): boolean {
  return thread.impersonation !== undefined;
}

/** The end of an impersonation. */
export function* revertToSelf(thread: KThread): KernelCode<void> {
  const impersonation = thread.impersonation as Impersonation | undefined;
  thread.impersonation = undefined;
  if (impersonation !== undefined) yield* ObpDereference(tokenHeader(impersonation.token));
}

/** Whether a thread may act as somebody, and not merely know who that is. */
function mayImpersonate(thread: KThread, token: Token): boolean {
  const own = primaryToken(thread.process);
  if (token.isAnonymous || own.holds(SE_PRIVILEGE.IMPERSONATE)) return true;
  if (token.user !== own.user) return false;
  return own.isRestricted === token.isRestricted;
}

/** Lets a thread impersonate: a reference to the token is taken. */
function* impersonate(
  thread: KThread,
  token: Token,
  copyOnOpen: boolean,
  effectiveOnly: boolean,
  level: SECURITY_IMPERSONATION_LEVEL,
): KernelCode<number> {
  const acts = level >= SECURITY_IMPERSONATION_LEVEL.SecurityImpersonation;
  const allowed = !acts || mayImpersonate(thread, token);
  const limited = SECURITY_IMPERSONATION_LEVEL.SecurityIdentification;
  const impersonation: Impersonation = allowed
    ? { token: referenceToken(token), copyOnOpen, effectiveOnly, level }
    : {
        token: token.duplicate(TOKEN_TYPE.TokenImpersonation, limited, effectiveOnly),
        copyOnOpen,
        effectiveOnly,
        level: limited,
      };
  yield* revertToSelf(thread);
  thread.impersonation = impersonation;
  return STATUS.SUCCESS;
}

/**
 * Lets a thread work with a token in place of its process's; null ends that. Who lacks
 * SeImpersonatePrivilege and is another user gets a copy that only tells who the client is.
 *
 * @returns STATUS_SUCCESS; STATUS_ACCESS_DENIED if the thread's job forbids it.
 * @irql PASSIVE_LEVEL   @nt PsImpersonateClient
 */
export function PsImpersonateClient(
  thread: KThread,
  token: Token | null,
  copyOnOpen: boolean,
  effectiveOnly: boolean,
  impersonationLevel: SECURITY_IMPERSONATION_LEVEL,
): NtCall<number> {
  const routine = 'PsImpersonateClient';
  return new NtCall(routine, () =>
    impersonateClient(routine, thread, token, copyOnOpen, effectiveOnly, impersonationLevel),
  );
}

function* impersonateClient(
  routine: string,
  thread: KThread,
  token: Token | null,
  copyOnOpen: boolean,
  effectiveOnly: boolean,
  impersonationLevel: SECURITY_IMPERSONATION_LEVEL,
): KernelCode<number> {
  requirePassive(routine);
  yield HOST_ROUTINE;
  if (token !== null)
    return yield* impersonate(thread, token, copyOnOpen, effectiveOnly, impersonationLevel);
  yield* revertToSelf(thread);
  return STATUS.SUCCESS;
}

/** Ends what the calling thread impersonates. @irql PASSIVE_LEVEL @nt PsRevertToSelf */
export function PsRevertToSelf(): NtCall<void> {
  const routine = 'PsRevertToSelf';
  return new NtCall(routine, () => revertToSelfSteps(routine));
}

function* revertToSelfSteps(routine: string): KernelCode<void> {
  requirePassive(routine);
  yield HOST_ROUTINE;
  yield* revertToSelf(currentGuest(routine).thread);
}

/** The same for a thread. @irql PASSIVE_LEVEL @nt PsRevertThreadToSelf */
export function PsRevertThreadToSelf(thread: KThread): NtCall<void> {
  const routine = 'PsRevertThreadToSelf';
  return new NtCall(routine, () => revertThreadToSelf(routine, thread));
}

function* revertThreadToSelf(routine: string, thread: KThread): KernelCode<void> {
  requirePassive(routine);
  yield HOST_ROUTINE;
  yield* revertToSelf(thread);
}

/** ThreadImpersonationToken: the token of a handle, or with 0 none. */
export function* setImpersonationToken(
  thread: KThread,
  handle: Handle,
  mode: MODE,
): KernelCode<number> {
  if (handle === 0) {
    yield* revertToSelf(thread);
    return STATUS.SUCCESS;
  }
  const access = TOKEN_ACCESS.IMPERSONATE;
  const { status, header } = ObpReferenceByHandle(handle, access, SeTokenObjectType, mode);
  if (header === undefined) return status;
  const token = header.body as Token;
  const result =
    token.type === TOKEN_TYPE.TokenImpersonation
      ? yield* impersonate(thread, token, false, false, token.impersonationLevel)
      : STATUS.BAD_TOKEN_TYPE;
  yield* ObpDereference(header);
  return result;
}

/** Lets a thread work as nobody in particular. */
export function* impersonateAnonymous(thread: KThread): KernelCode<number> {
  const level = SECURITY_IMPERSONATION_LEVEL.SecurityImpersonation;
  const { anonymous } = ACCOUNTS;
  const token = new Token(thread.machine, anonymous, TOKEN_TYPE.TokenImpersonation, level);
  const status = yield* impersonate(thread, token, false, false, level);
  yield* ObpDereference(tokenHeader(token));
  return status;
}

/** What follows from a token handle for who is to be a process's primary token. */
export function assignStatus(token: Token): number {
  if (token.type !== TOKEN_TYPE.TokenPrimary) return STATUS.BAD_IMPERSONATION_LEVEL;
  return token.inUse ? STATUS.TOKEN_ALREADY_IN_USE : STATUS.SUCCESS;
}

/** ProcessAccessToken: a primary token of its own for a process. */
export function* setPrimaryToken(
  process: KProcess,
  handle: Handle,
  mode: MODE,
): KernelCode<number> {
  const access = TOKEN_ACCESS.ASSIGN_PRIMARY;
  const { status, header } = ObpReferenceByHandle(handle, access, SeTokenObjectType, mode);
  if (header === undefined) return status;
  const token = header.body as Token;
  const refused = assignStatus(token);
  if (refused !== STATUS.SUCCESS) {
    yield* ObpDereference(header);
    return refused;
  }
  token.inUse = true;
  const old = process.token as Token | undefined;
  process.token = token;
  if (old !== undefined) yield* ObpDereference(tokenHeader(old));
  return STATUS.SUCCESS;
}
