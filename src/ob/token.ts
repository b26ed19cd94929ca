import { STATUS } from '../../assembly/shared/status';
import type { Machine } from '../machine/machine';
import { PerMachine } from '../machine/per-machine';
import type { KProcess } from '../machine/views';
import { HostObject, type ObjectHeader } from './object';
import {
  ACCOUNTS,
  type PrivilegeAndAttributes,
  SE_GROUP,
  type SE_PRIVILEGE,
  SE_PRIVILEGE_ATTRIBUTE,
  SID,
  type SidAndAttributes,
  type TokenDescription,
} from './privilege';
import { ObpReference } from './reference';
import { objectManager } from './state';
import { SeTokenObjectType } from './types';

/** Access tokens: who somebody is, and what that allows. A process has a primary one, made with its first use. */

export const enum TOKEN_TYPE {
  TokenPrimary = 1,
  TokenImpersonation = 2,
}

export const enum SECURITY_IMPERSONATION_LEVEL {
  SecurityAnonymous = 0,
  SecurityIdentification = 1,
  SecurityImpersonation = 2,
  SecurityDelegation = 3,
}

/** PS_IMPERSONATION_INFORMATION: what a thread works with in place of its process's token. */
export interface Impersonation {
  readonly token: Token;
  /** Who opens it gets a copy. */
  readonly copyOnOpen: boolean;
  readonly effectiveOnly: boolean;
  readonly level: SECURITY_IMPERSONATION_LEVEL;
}

/** LUIDs that the machine gives out. */
class Luids {
  private last = 0x1_0000;

  next(): number {
    return ++this.last;
  }
}

const luids = new PerMachine(() => new Luids());

/** TOKEN. */
export class Token extends HostObject {
  /** LUID of its own. */
  readonly tokenId: number;
  /** LUID that changes with it. */
  modifiedId: number;
  readonly user: string;
  readonly authenticationId: number;
  readonly integrityLevel: string;
  groups: readonly SidAndAttributes[];
  /** SIDs that must be allowed too, if it is restricted. */
  restrictedSids: readonly SidAndAttributes[] = [];
  isRestricted = false;
  sessionId = 0;
  /** It is the primary token of a process, or has been. */
  inUse = false;
  private readonly attributes: Map<SE_PRIVILEGE, number>;

  constructor(
    machine: Machine,
    description: TokenDescription,
    readonly type: TOKEN_TYPE,
    /** Of a primary token SecurityAnonymous. */
    readonly impersonationLevel: SECURITY_IMPERSONATION_LEVEL,
  ) {
    super(machine);
    this.tokenId = luids.of(machine).next();
    this.modifiedId = luids.of(machine).next();
    this.user = description.user;
    this.authenticationId = description.authenticationId;
    this.integrityLevel = description.integrityLevel;
    this.groups = description.groups;
    this.attributes = new Map(
      description.privileges.map(({ Luid, Attributes }) => [Luid, Attributes]),
    );
    objectManager(machine).allocate(SeTokenObjectType, this);
  }

  get privileges(): PrivilegeAndAttributes[] {
    return [...this.attributes].map(([Luid, Attributes]) => ({ Luid, Attributes }));
  }

  /** Attributes of a privilege; undefined: it has no such. */
  privilege(privilege: SE_PRIVILEGE): number | undefined {
    return this.attributes.get(privilege);
  }

  /** Whether it has a privilege that is enabled. */
  holds(privilege: SE_PRIVILEGE): boolean {
    return ((this.attributes.get(privilege) ?? 0) & SE_PRIVILEGE_ATTRIBUTE.ENABLED) !== 0;
  }

  setPrivilege(privilege: SE_PRIVILEGE, attributes: number): void {
    this.attributes.set(privilege, attributes);
    this.modified();
  }

  removePrivilege(privilege: SE_PRIVILEGE): void {
    if (this.attributes.delete(privilege)) this.modified();
  }

  modified(): void {
    this.modifiedId = luids.of(this.machine).next();
  }

  /** Whether it is one of an administrator's: the group is there, for more than denying. */
  get isAdministrator(): boolean {
    return this.groups.some(
      ({ Sid, Attributes }) =>
        Sid === SID.Administrators && (Attributes & SE_GROUP.USE_FOR_DENY_ONLY) === 0,
    );
  }

  get isAnonymous(): boolean {
    return this.user === SID.Anonymous;
  }

  /** A token that says the same, of one reference; with `effectiveOnly` without what is not enabled. */
  duplicate(type: TOKEN_TYPE, level: SECURITY_IMPERSONATION_LEVEL, effectiveOnly: boolean): Token {
    const enabled = ({ Attributes }: PrivilegeAndAttributes) =>
      !effectiveOnly || (Attributes & SE_PRIVILEGE_ATTRIBUTE.ENABLED) !== 0;
    const inForce = ({ Attributes }: SidAndAttributes) =>
      !effectiveOnly || (Attributes & (SE_GROUP.ENABLED | SE_GROUP.USE_FOR_DENY_ONLY)) !== 0;
    const { user, authenticationId, integrityLevel } = this;
    const copy = new Token(
      this.machine,
      {
        user,
        authenticationId,
        integrityLevel,
        groups: this.groups.filter(inForce),
        privileges: this.privileges.filter(enabled),
      },
      type,
      type === TOKEN_TYPE.TokenPrimary ? SECURITY_IMPERSONATION_LEVEL.SecurityAnonymous : level,
    );
    copy.restrictedSids = this.restrictedSids;
    copy.isRestricted = this.isRestricted;
    copy.sessionId = this.sessionId;
    return copy;
  }
}

/** Why a token cannot be duplicated as one of a type and level. */
export function duplicateStatus(
  token: Token,
  type: TOKEN_TYPE,
  level: SECURITY_IMPERSONATION_LEVEL,
): number {
  if (type !== TOKEN_TYPE.TokenPrimary && type !== TOKEN_TYPE.TokenImpersonation)
    return STATUS.INVALID_PARAMETER;
  if (token.type === TOKEN_TYPE.TokenPrimary) return STATUS.SUCCESS;
  const needed =
    type === TOKEN_TYPE.TokenPrimary ? SECURITY_IMPERSONATION_LEVEL.SecurityImpersonation : level;
  return token.impersonationLevel < needed ? STATUS.BAD_IMPERSONATION_LEVEL : STATUS.SUCCESS;
}

/** The account that a process belongs to if nobody has said otherwise. */
function defaultAccount(process: KProcess): TokenDescription {
  return process === process.machine.systemProcess ? ACCOUNTS.system : ACCOUNTS.user;
}

const defaults = new Map(
  [ACCOUNTS.system, ACCOUNTS.user].map((account) => [
    account,
    new Map(account.privileges.map(({ Luid, Attributes }) => [Luid, Attributes])),
  ]),
);

/** What a process whose token nobody has asked for may do. */
export function defaultPrivileges(process: KProcess): ReadonlyMap<SE_PRIVILEGE, number> {
  return defaults.get(defaultAccount(process)) as ReadonlyMap<SE_PRIVILEGE, number>;
}

/** The primary token of a process; the first who asks makes it. No reference is taken. */
export function primaryToken(process: KProcess): Token {
  process.token ??= newPrimaryToken(process, defaultAccount(process));
  return process.token as Token;
}

/** Makes a primary token of an account, which is its process's from now on. */
export function newPrimaryToken(process: KProcess, account: TokenDescription): Token {
  const level = SECURITY_IMPERSONATION_LEVEL.SecurityAnonymous;
  const token = new Token(process.machine, account, TOKEN_TYPE.TokenPrimary, level);
  token.inUse = true;
  process.token = token;
  process.machine.needLifecycle();
  return token;
}

/** Takes a reference to a token. */
export function referenceToken(token: Token): Token {
  ObpReference(tokenHeader(token));
  return token;
}

/** A token's header: every token has one. */
export function tokenHeader(token: Token): ObjectHeader {
  return token.objectHeader as ObjectHeader;
}
