import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { ddiTime, type KernelCode, systemService } from '../ke/mode';
import { currentGuest } from '../machine/guest';
import type { KProcess, KThread } from '../machine/views';
import {
  failed,
  type Handle,
  type HandleResult,
  OBJ,
  type ObjectAttributes,
} from '../ob/attributes';
import { ObpCreateHandle, ObpReferenceByHandle } from '../ob/handle';
import type { ObjectHeader } from '../ob/object';
import { ObpDereference } from '../ob/reference';
import { onHandle } from '../ob/services/on-handle';
import {
  duplicateStatus,
  type Impersonation,
  primaryToken,
  referenceToken,
  SECURITY_IMPERSONATION_LEVEL,
  type Token,
  TOKEN_TYPE,
  tokenHeader,
} from '../ob/token';
import { PsProcessType, PsThreadType, SeTokenObjectType } from '../ob/types';
import { type BadPointer, probeVariable } from './information';
import { PROCESS_ACCESS, THREAD_ACCESS } from './access';
import { impersonateAnonymous, TOKEN_ACCESS } from './token';

/** Tokens by handle: how they are opened, copied and worked with. */

/** Makes a handle to a token whose reference the caller has, and gives that back. */
function* tokenHandle(
  token: Token,
  mode: MODE,
  desiredAccess: number,
  attributes: number,
): KernelCode<HandleResult> {
  const header = tokenHeader(token);
  const result = yield* ObpCreateHandle({ header, mode, desiredAccess, attributes, opening: true });
  yield* ObpDereference(header);
  return result;
}

/** The object of a handle that has one of some rights, or why there is none. */
function* withRight<B extends KProcess | KThread>(
  mode: MODE,
  handle: Handle,
  type: typeof PsProcessType,
  rights: number,
  use: (object: B) => KernelCode<HandleResult>,
): KernelCode<HandleResult> {
  const { status, header, handleInformation } = ObpReferenceByHandle(handle, 0, type, mode);
  if (header === undefined) return failed(status);
  try {
    if (mode === MODE.UserMode && (handleInformation.GrantedAccess & rights) === 0)
      return failed(STATUS.ACCESS_DENIED);
    return yield* use(header.body as B);
  } finally {
    yield* ObpDereference(header);
  }
}

/** What is wrong with what a token is to be opened into. */
function openStatus(mode: MODE, attributes: number, tokenHandle: BadPointer | undefined): number {
  if (probeVariable(tokenHandle) !== STATUS.SUCCESS) return STATUS.ACCESS_VIOLATION;
  const ownTable = mode === MODE.KernelMode && (attributes & OBJ.KERNEL_HANDLE) === 0;
  return ownTable ? STATUS.INVALID_PARAMETER : STATUS.SUCCESS;
}

const PROCESS_RIGHTS = PROCESS_ACCESS.QUERY_INFORMATION | PROCESS_ACCESS.QUERY_LIMITED_INFORMATION;

function* openOfProcess(
  mode: MODE,
  processHandle: Handle,
  desiredAccess: number,
  attributes: number,
): KernelCode<HandleResult> {
  return yield* withRight(mode, processHandle, PsProcessType, PROCESS_RIGHTS, (process: KProcess) =>
    tokenHandle(referenceToken(primaryToken(process)), mode, desiredAccess, attributes),
  );
}

const openProcessToken = systemService(
  'OpenProcessToken',
  function* (
    mode,
    processHandle: Handle,
    desiredAccess: number,
    tokenHandle?: BadPointer,
  ): KernelCode<HandleResult> {
    const status = probeVariable(tokenHandle);
    if (status !== STATUS.SUCCESS) return failed(status);
    return yield* openOfProcess(mode, processHandle, desiredAccess, 0);
  },
);

/**
 * Opens the primary token of a process.
 *
 * @returns a handle with STATUS_SUCCESS; STATUS_ACCESS_DENIED without PROCESS_QUERY_INFORMATION;
 *   STATUS_ACCESS_VIOLATION for a bad pointer to the handle; what handles come to.
 * @irql PASSIVE_LEVEL   @nt NtOpenProcessToken
 */
export const NtOpenProcessToken = openProcessToken.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenProcessToken */
export const ZwOpenProcessToken = openProcessToken.zw;

const openProcessTokenEx = systemService(
  'OpenProcessTokenEx',
  function* (
    mode,
    processHandle: Handle,
    desiredAccess: number,
    handleAttributes: number,
    tokenHandle?: BadPointer,
  ): KernelCode<HandleResult> {
    const status = openStatus(mode, handleAttributes, tokenHandle);
    if (status !== STATUS.SUCCESS) return failed(status);
    return yield* openOfProcess(mode, processHandle, desiredAccess, handleAttributes);
  },
);

/**
 * The same with OBJ flags for the handle. Kernel mode must give OBJ_KERNEL_HANDLE, else it is
 * STATUS_INVALID_PARAMETER; of user mode that flag does not count.
 *
 * @irql PASSIVE_LEVEL   @nt NtOpenProcessTokenEx
 */
export const NtOpenProcessTokenEx = openProcessTokenEx.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenProcessTokenEx */
export const ZwOpenProcessTokenEx = openProcessTokenEx.zw;

/** Why the caller cannot be told whom a thread impersonates; undefined: it can. */
function impersonationStatus(thread: KThread, openAsSelf: boolean): number {
  const impersonation = thread.impersonation as Impersonation | undefined;
  if (impersonation === undefined) return STATUS.NO_TOKEN;
  if (impersonation.level === SECURITY_IMPERSONATION_LEVEL.SecurityAnonymous)
    return STATUS.CANT_OPEN_ANONYMOUS;
  const caller = currentGuest('NtOpenThreadToken').thread.impersonation as
    | Impersonation
    | undefined;
  const knowsOnly =
    caller !== undefined && caller.level < SECURITY_IMPERSONATION_LEVEL.SecurityImpersonation;
  return knowsOnly && !openAsSelf ? STATUS.BAD_IMPERSONATION_LEVEL : STATUS.SUCCESS;
}

function* openOfThread(
  mode: MODE,
  threadHandle: Handle,
  desiredAccess: number,
  openAsSelf: boolean,
  attributes: number,
): KernelCode<HandleResult> {
  const right = THREAD_ACCESS.QUERY_INFORMATION;
  return yield* withRight(mode, threadHandle, PsThreadType, right, function* (thread: KThread) {
    const status = impersonationStatus(thread, openAsSelf);
    if (status !== STATUS.SUCCESS) {
      yield ddiTime(thread.machine);
      return failed(status);
    }
    const { token, copyOnOpen, effectiveOnly, level } = thread.impersonation as Impersonation;
    const opened = copyOnOpen
      ? token.duplicate(TOKEN_TYPE.TokenImpersonation, level, effectiveOnly)
      : referenceToken(token);
    return yield* tokenHandle(opened, mode, desiredAccess, attributes);
  });
}

const openThreadToken = systemService(
  'OpenThreadToken',
  function* (
    mode,
    threadHandle: Handle,
    desiredAccess: number,
    openAsSelf: boolean,
    tokenHandle?: BadPointer,
  ): KernelCode<HandleResult> {
    const status = probeVariable(tokenHandle);
    if (status !== STATUS.SUCCESS) return failed(status);
    return yield* openOfThread(mode, threadHandle, desiredAccess, openAsSelf, 0);
  },
);

/**
 * Opens the token that a thread works with in place of its process's.
 *
 * @returns also STATUS_NO_TOKEN if there is none; STATUS_CANT_OPEN_ANONYMOUS;
 *   STATUS_BAD_IMPERSONATION_LEVEL for who only knows whom it impersonates, unless `openAsSelf`.
 * @irql PASSIVE_LEVEL   @nt NtOpenThreadToken
 */
export const NtOpenThreadToken = openThreadToken.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenThreadToken */
export const ZwOpenThreadToken = openThreadToken.zw;

const openThreadTokenEx = systemService(
  'OpenThreadTokenEx',
  function* (
    mode,
    threadHandle: Handle,
    desiredAccess: number,
    openAsSelf: boolean,
    handleAttributes: number,
    tokenHandle?: BadPointer,
  ): KernelCode<HandleResult> {
    const status = openStatus(mode, handleAttributes, tokenHandle);
    if (status !== STATUS.SUCCESS) return failed(status);
    return yield* openOfThread(mode, threadHandle, desiredAccess, openAsSelf, handleAttributes);
  },
);

/** The same with OBJ flags for the handle; see NtOpenProcessTokenEx. @irql PASSIVE_LEVEL @nt NtOpenThreadTokenEx */
export const NtOpenThreadTokenEx = openThreadTokenEx.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenThreadTokenEx */
export const ZwOpenThreadTokenEx = openThreadTokenEx.zw;

/** OBJECT_ATTRIBUTES with a SECURITY_QUALITY_OF_SERVICE: the level of a new impersonation token. */
export interface TokenAttributes extends ObjectAttributes {
  readonly impersonationLevel?: SECURITY_IMPERSONATION_LEVEL;
}

function* duplicate(
  header: ObjectHeader,
  granted: number,
  mode: MODE,
  desiredAccess: number,
  attributes: TokenAttributes | null,
  effectiveOnly: boolean,
  type: TOKEN_TYPE,
): KernelCode<HandleResult> {
  const token = header.body as Token;
  const level = attributes?.impersonationLevel ?? SECURITY_IMPERSONATION_LEVEL.SecurityAnonymous;
  const status = duplicateStatus(token, type, level);
  if (status !== STATUS.SUCCESS) return failed(status);
  const copy = token.duplicate(type, level, effectiveOnly);
  const access = desiredAccess === 0 ? granted : desiredAccess;
  return yield* tokenHandle(copy, mode, access, attributes?.Attributes ?? 0);
}

const duplicateToken = systemService(
  'DuplicateToken',
  function* (
    mode,
    existingTokenHandle: Handle,
    desiredAccess: number,
    objectAttributes: TokenAttributes | null,
    effectiveOnly: boolean,
    tokenType: TOKEN_TYPE,
    newTokenHandle?: BadPointer,
  ): KernelCode<HandleResult> {
    const bad = probeVariable(newTokenHandle);
    if (bad !== STATUS.SUCCESS) return failed(bad);
    const right = TOKEN_ACCESS.DUPLICATE;
    const { status, header, handleInformation } = ObpReferenceByHandle(
      existingTokenHandle,
      right,
      SeTokenObjectType,
      mode,
    );
    if (header === undefined) return failed(status);
    const { GrantedAccess } = handleInformation;
    const result = yield* duplicate(
      header,
      GrantedAccess,
      mode,
      desiredAccess,
      objectAttributes,
      effectiveOnly,
      tokenType,
    );
    yield* ObpDereference(header);
    return result;
  },
);

/**
 * Makes a copy of a token, primary or for impersonation. An access of 0 is that of the handle.
 *
 * @returns a handle with STATUS_SUCCESS; STATUS_BAD_IMPERSONATION_LEVEL for a level above the token's
 *   own; STATUS_INVALID_PARAMETER for another type; STATUS_ACCESS_DENIED without TOKEN_DUPLICATE.
 * @irql PASSIVE_LEVEL   @nt NtDuplicateToken
 */
export const NtDuplicateToken = duplicateToken.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwDuplicateToken */
export const ZwDuplicateToken = duplicateToken.zw;

const impersonateAnonymousToken = systemService(
  'ImpersonateAnonymousToken',
  (mode, threadHandle: Handle): KernelCode<number> =>
    onHandle(mode, threadHandle, THREAD_ACCESS.IMPERSONATE, PsThreadType, impersonateAnonymous),
);

/** Lets a thread work as the anonymous user. @returns STATUS_ACCESS_DENIED without THREAD_IMPERSONATE. @irql PASSIVE_LEVEL @nt NtImpersonateAnonymousToken */
export const NtImpersonateAnonymousToken = impersonateAnonymousToken.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwImpersonateAnonymousToken */
export const ZwImpersonateAnonymousToken = impersonateAnonymousToken.zw;
