/** LUIDs of privileges: SeDebugPrivilege is `SE_PRIVILEGE.DEBUG`. */
export const enum SE_PRIVILEGE {
  CREATE_TOKEN = 2,
  ASSIGN_PRIMARY_TOKEN = 3,
  LOCK_MEMORY = 4,
  INCREASE_QUOTA = 5,
  MACHINE_ACCOUNT = 6,
  TCB = 7,
  SECURITY = 8,
  TAKE_OWNERSHIP = 9,
  LOAD_DRIVER = 10,
  SYSTEM_PROFILE = 11,
  SYSTEMTIME = 12,
  PROFILE_SINGLE_PROCESS = 13,
  INCREASE_BASE_PRIORITY = 14,
  CREATE_PAGEFILE = 15,
  CREATE_PERMANENT = 16,
  BACKUP = 17,
  RESTORE = 18,
  SHUTDOWN = 19,
  DEBUG = 20,
  AUDIT = 21,
  SYSTEM_ENVIRONMENT = 22,
  CHANGE_NOTIFY = 23,
  REMOTE_SHUTDOWN = 24,
  UNDOCK = 25,
  SYNC_AGENT = 26,
  ENABLE_DELEGATION = 27,
  MANAGE_VOLUME = 28,
  IMPERSONATE = 29,
  CREATE_GLOBAL = 30,
  TRUSTED_CREDMAN_ACCESS = 31,
  RELABEL = 32,
  INCREASE_WORKING_SET = 33,
  TIME_ZONE = 34,
  CREATE_SYMBOLIC_LINK = 35,
  DELEGATE_SESSION_USER_IMPERSONATE = 36,
}

/** Attributes of a privilege in a token. */
export const enum SE_PRIVILEGE_ATTRIBUTE {
  ENABLED_BY_DEFAULT = 1,
  ENABLED = 2,
  REMOVED = 4,
}

/** Attributes of a group in a token: SE_GROUP_ENABLED is `SE_GROUP.ENABLED`. */
export const enum SE_GROUP {
  MANDATORY = 1,
  ENABLED_BY_DEFAULT = 2,
  ENABLED = 4,
  OWNER = 8,
  USE_FOR_DENY_ONLY = 0x10,
  INTEGRITY = 0x20,
  INTEGRITY_ENABLED = 0x40,
}

/** SIDs in the form of text that everybody knows them by. */
export const SID = {
  Anonymous: 'S-1-5-7',
  Everyone: 'S-1-1-0',
  Interactive: 'S-1-5-4',
  AuthenticatedUsers: 'S-1-5-11',
  LocalSystem: 'S-1-5-18',
  Administrators: 'S-1-5-32-544',
  Users: 'S-1-5-32-545',
  UntrustedLevel: 'S-1-16-0',
  MediumLevel: 'S-1-16-8192',
  HighLevel: 'S-1-16-12288',
  SystemLevel: 'S-1-16-16384',
} as const;

/** SID_AND_ATTRIBUTES. */
export interface SidAndAttributes {
  readonly Sid: string;
  /** Of a group SE_GROUP flags. */
  readonly Attributes: number;
}

/** LUID_AND_ATTRIBUTES. */
export interface PrivilegeAndAttributes {
  readonly Luid: SE_PRIVILEGE;
  readonly Attributes: number;
}

/** What a token is made of. */
export interface TokenDescription {
  /** SID of the user. */
  readonly user: string;
  readonly groups: readonly SidAndAttributes[];
  readonly privileges: readonly PrivilegeAndAttributes[];
  readonly integrityLevel: string;
  /** LUID of the logon session: 0x3e7 that of the system. */
  readonly authenticationId: number;
}

const USUAL = SE_GROUP.MANDATORY | SE_GROUP.ENABLED_BY_DEFAULT | SE_GROUP.ENABLED;
const ON = SE_PRIVILEGE_ATTRIBUTE.ENABLED_BY_DEFAULT | SE_PRIVILEGE_ATTRIBUTE.ENABLED;

const usual = (Sid: string): SidAndAttributes => ({ Sid, Attributes: USUAL });
const on = (Luid: SE_PRIVILEGE): PrivilegeAndAttributes => ({ Luid, Attributes: ON });
const off = (Luid: SE_PRIVILEGE): PrivilegeAndAttributes => ({ Luid, Attributes: 0 });

/** S-1-5-21-…: the machine's own accounts begin with it. */
const ACCOUNT = 'S-1-5-21-1004336348-1177238915-682003330';
const SYSTEM_LOGON = 0x3e7;
const ANONYMOUS_LOGON = 0x3e6;
const USER_LOGON = 0x1_0000;

const EVERY: readonly SE_PRIVILEGE[] = Array.from(
  { length: SE_PRIVILEGE.DELEGATE_SESSION_USER_IMPERSONATE - SE_PRIVILEGE.CREATE_TOKEN + 1 },
  (_, index) => SE_PRIVILEGE.CREATE_TOKEN + index,
);

/** Of System, and of what it starts. Every privilege is enabled. */
const SYSTEM: TokenDescription = {
  user: SID.LocalSystem,
  groups: [
    {
      Sid: SID.Administrators,
      Attributes: SE_GROUP.ENABLED_BY_DEFAULT | SE_GROUP.ENABLED | SE_GROUP.OWNER,
    },
    usual(SID.Everyone),
    usual(SID.AuthenticatedUsers),
  ],
  privileges: EVERY.map(on),
  integrityLevel: SID.SystemLevel,
  authenticationId: SYSTEM_LOGON,
};

/** An elevated administrator: the privileges that matter are there to be enabled. */
const ADMINISTRATOR: TokenDescription = {
  user: `${ACCOUNT}-500`,
  groups: [
    usual(SID.Everyone),
    { Sid: SID.Administrators, Attributes: USUAL | SE_GROUP.OWNER },
    usual(SID.Users),
    usual(SID.Interactive),
    usual(SID.AuthenticatedUsers),
  ],
  privileges: [
    off(SE_PRIVILEGE.INCREASE_QUOTA),
    off(SE_PRIVILEGE.SECURITY),
    off(SE_PRIVILEGE.TAKE_OWNERSHIP),
    off(SE_PRIVILEGE.LOAD_DRIVER),
    off(SE_PRIVILEGE.SYSTEM_PROFILE),
    off(SE_PRIVILEGE.SYSTEMTIME),
    off(SE_PRIVILEGE.PROFILE_SINGLE_PROCESS),
    off(SE_PRIVILEGE.INCREASE_BASE_PRIORITY),
    off(SE_PRIVILEGE.CREATE_PAGEFILE),
    off(SE_PRIVILEGE.BACKUP),
    off(SE_PRIVILEGE.RESTORE),
    off(SE_PRIVILEGE.SHUTDOWN),
    off(SE_PRIVILEGE.DEBUG),
    off(SE_PRIVILEGE.SYSTEM_ENVIRONMENT),
    on(SE_PRIVILEGE.CHANGE_NOTIFY),
    off(SE_PRIVILEGE.REMOTE_SHUTDOWN),
    off(SE_PRIVILEGE.UNDOCK),
    off(SE_PRIVILEGE.MANAGE_VOLUME),
    on(SE_PRIVILEGE.IMPERSONATE),
    on(SE_PRIVILEGE.CREATE_GLOBAL),
    off(SE_PRIVILEGE.INCREASE_WORKING_SET),
    off(SE_PRIVILEGE.TIME_ZONE),
    off(SE_PRIVILEGE.CREATE_SYMBOLIC_LINK),
    off(SE_PRIVILEGE.DELEGATE_SESSION_USER_IMPERSONATE),
  ],
  integrityLevel: SID.HighLevel,
  authenticationId: USER_LOGON,
};

/** A user without rights of an administrator: what processes have by default. */
const USER: TokenDescription = {
  user: `${ACCOUNT}-1001`,
  groups: [
    usual(SID.Everyone),
    usual(SID.Users),
    usual(SID.Interactive),
    usual(SID.AuthenticatedUsers),
  ],
  privileges: [
    off(SE_PRIVILEGE.SHUTDOWN),
    on(SE_PRIVILEGE.CHANGE_NOTIFY),
    off(SE_PRIVILEGE.UNDOCK),
    off(SE_PRIVILEGE.INCREASE_WORKING_SET),
    off(SE_PRIVILEGE.TIME_ZONE),
  ],
  integrityLevel: SID.MediumLevel,
  authenticationId: USER_LOGON,
};

const ANONYMOUS: TokenDescription = {
  user: SID.Anonymous,
  groups: [usual(SID.Everyone)],
  privileges: [],
  integrityLevel: SID.UntrustedLevel,
  authenticationId: ANONYMOUS_LOGON,
};

/** What tokens are usually made of. */
export const ACCOUNTS = {
  system: SYSTEM,
  administrator: ADMINISTRATOR,
  user: USER,
  anonymous: ANONYMOUS,
} as const;
