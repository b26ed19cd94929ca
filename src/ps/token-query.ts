import { STATUS } from '../../assembly/shared/status';
import { type PrivilegeAndAttributes, SE_GROUP, type SidAndAttributes } from '../ob/privilege';
import { type SECURITY_IMPERSONATION_LEVEL, type Token, TOKEN_TYPE } from '../ob/token';
import { SeTokenObjectType } from '../ob/types';
import {
  type Answer,
  type Classes,
  type QueryClass,
  queryService,
  type QueryInformation,
} from './information';
import { TOKEN_ACCESS } from './token';
import { privilegesLength } from './token-adjust';

/** What there is to know of a token by its handle. */

/** TOKEN_INFORMATION_CLASS. */
export const enum TOKEN_INFORMATION_CLASS {
  TokenUser = 1,
  TokenGroups = 2,
  TokenPrivileges = 3,
  TokenOwner = 4,
  TokenPrimaryGroup = 5,
  TokenDefaultDacl = 6,
  TokenSource = 7,
  TokenType = 8,
  TokenImpersonationLevel = 9,
  TokenStatistics = 10,
  TokenRestrictedSids = 11,
  TokenSessionId = 12,
  TokenElevationType = 18,
  TokenElevation = 20,
  TokenHasRestrictions = 21,
  TokenIntegrityLevel = 25,
}

/** TOKEN_STATISTICS, without what the memory of a token is. */
export interface TokenStatistics {
  readonly TokenId: number;
  readonly AuthenticationId: number;
  readonly TokenType: TOKEN_TYPE;
  readonly ImpersonationLevel: SECURITY_IMPERSONATION_LEVEL;
  readonly GroupCount: number;
  readonly PrivilegeCount: number;
  readonly ModifiedId: number;
}

/** What the classes of NtQueryInformationToken give. */
export interface TokenInformation {
  [TOKEN_INFORMATION_CLASS.TokenUser]: { readonly User: SidAndAttributes };
  [TOKEN_INFORMATION_CLASS.TokenGroups]: { readonly Groups: readonly SidAndAttributes[] };
  [TOKEN_INFORMATION_CLASS.TokenPrivileges]: {
    readonly Privileges: readonly PrivilegeAndAttributes[];
  };
  [TOKEN_INFORMATION_CLASS.TokenOwner]: { readonly Owner: string };
  [TOKEN_INFORMATION_CLASS.TokenType]: { readonly TokenType: TOKEN_TYPE };
  [TOKEN_INFORMATION_CLASS.TokenImpersonationLevel]: {
    readonly ImpersonationLevel: SECURITY_IMPERSONATION_LEVEL;
  };
  [TOKEN_INFORMATION_CLASS.TokenStatistics]: TokenStatistics;
  [TOKEN_INFORMATION_CLASS.TokenRestrictedSids]: { readonly Groups: readonly SidAndAttributes[] };
  [TOKEN_INFORMATION_CLASS.TokenSessionId]: { readonly SessionId: number };
  [TOKEN_INFORMATION_CLASS.TokenElevationType]: { readonly ElevationType: number };
  [TOKEN_INFORMATION_CLASS.TokenElevation]: { readonly TokenIsElevated: number };
  [TOKEN_INFORMATION_CLASS.TokenHasRestrictions]: { readonly HasRestrictions: number };
  [TOKEN_INFORMATION_CLASS.TokenIntegrityLevel]: { readonly Label: SidAndAttributes };
}

/** Bytes of structures on x64. */
const enum SIZE {
  SID_AND_ATTRIBUTES = 16,
  TOKEN_GROUPS = 8,
  TOKEN_OWNER = 8,
  TOKEN_STATISTICS = 56,
}

/** TokenElevationTypeDefault: there is no other half of the token. */
const ELEVATION_TYPE_DEFAULT = 1;

/** Bytes of a SID: its parts after the authority are four each. */
/** Bytes of a SID. */
export function sidLength(sid: string): number {
  return 8 + 4 * (sid.split('-').length - 3);
}

function groupsLength(groups: readonly SidAndAttributes[]): number {
  return groups.reduce(
    (sum, { Sid }) => sum + SIZE.SID_AND_ATTRIBUTES + sidLength(Sid),
    SIZE.TOKEN_GROUPS,
  );
}

/** What a class gives, and how many bytes that takes. */
interface Measured {
  readonly needed: number;
  readonly fields: object;
}

function measured(access: number, measure: (token: Token) => Measured): QueryClass<Token> {
  return {
    lengths: 'variable',
    access,
    query: (token, length): Answer => {
      const { needed: returnLength, fields } = measure(token);
      if (length < returnLength) return { status: STATUS.BUFFER_TOO_SMALL, returnLength };
      return { ...fields, returnLength };
    },
  };
}

const QUERY = TOKEN_ACCESS.QUERY;

function word(field: string, value: (token: Token) => number): QueryClass<Token> {
  return measured(QUERY, (token) => ({ needed: 4, fields: { [field]: value(token) } }));
}

function labelOf({ integrityLevel }: Token): SidAndAttributes {
  return { Sid: integrityLevel, Attributes: SE_GROUP.INTEGRITY | SE_GROUP.INTEGRITY_ENABLED };
}

function groupsOf(token: Token): SidAndAttributes[] {
  return [...token.groups, labelOf(token)];
}

function statisticsOf(token: Token): TokenStatistics {
  return {
    TokenId: token.tokenId,
    AuthenticationId: token.authenticationId,
    TokenType: token.type,
    ImpersonationLevel: token.impersonationLevel,
    GroupCount: groupsOf(token).length,
    PrivilegeCount: token.privileges.length,
    ModifiedId: token.modifiedId,
  };
}

/** Who owns what is made with a token: a group that may, else the user. */
function ownerOf({ groups, user }: Token): string {
  return groups.find(({ Attributes }) => (Attributes & SE_GROUP.OWNER) !== 0)?.Sid ?? user;
}

const CLASSES: Classes<QueryClass<Token>> = new Map<number, QueryClass<Token> | 'unmodelled'>([
  [
    TOKEN_INFORMATION_CLASS.TokenUser,
    measured(QUERY, ({ user }) => ({
      needed: SIZE.SID_AND_ATTRIBUTES + sidLength(user),
      fields: { User: { Sid: user, Attributes: 0 } },
    })),
  ],
  [
    TOKEN_INFORMATION_CLASS.TokenGroups,
    measured(QUERY, (token) => ({
      needed: groupsLength(groupsOf(token)),
      fields: { Groups: groupsOf(token) },
    })),
  ],
  [
    TOKEN_INFORMATION_CLASS.TokenPrivileges,
    measured(QUERY, ({ privileges }) => ({
      needed: privilegesLength(privileges.length),
      fields: { Privileges: privileges },
    })),
  ],
  [
    TOKEN_INFORMATION_CLASS.TokenOwner,
    measured(QUERY, (token) => ({
      needed: SIZE.TOKEN_OWNER + sidLength(ownerOf(token)),
      fields: { Owner: ownerOf(token) },
    })),
  ],
  [TOKEN_INFORMATION_CLASS.TokenPrimaryGroup, 'unmodelled'],
  [TOKEN_INFORMATION_CLASS.TokenDefaultDacl, 'unmodelled'],
  [TOKEN_INFORMATION_CLASS.TokenSource, 'unmodelled'],
  [TOKEN_INFORMATION_CLASS.TokenType, word('TokenType', ({ type }) => type)],
  [
    TOKEN_INFORMATION_CLASS.TokenImpersonationLevel,
    {
      lengths: 'variable',
      access: QUERY,
      query: ({ type, impersonationLevel }, length): Answer => {
        if (type === TOKEN_TYPE.TokenPrimary) return { status: STATUS.INVALID_PARAMETER };
        if (length < 4) return { status: STATUS.BUFFER_TOO_SMALL, returnLength: 4 };
        return { ImpersonationLevel: impersonationLevel, returnLength: 4 };
      },
    },
  ],
  [
    TOKEN_INFORMATION_CLASS.TokenStatistics,
    measured(QUERY, (token) => ({ needed: SIZE.TOKEN_STATISTICS, fields: statisticsOf(token) })),
  ],
  [
    TOKEN_INFORMATION_CLASS.TokenRestrictedSids,
    measured(QUERY, ({ restrictedSids }) => ({
      needed: groupsLength(restrictedSids),
      fields: { Groups: restrictedSids },
    })),
  ],
  [TOKEN_INFORMATION_CLASS.TokenSessionId, word('SessionId', ({ sessionId }) => sessionId)],
  [TOKEN_INFORMATION_CLASS.TokenElevationType, word('ElevationType', () => ELEVATION_TYPE_DEFAULT)],
  [
    TOKEN_INFORMATION_CLASS.TokenElevation,
    word('TokenIsElevated', ({ isAdministrator }) => Number(isAdministrator)),
  ],
  [
    TOKEN_INFORMATION_CLASS.TokenHasRestrictions,
    word('HasRestrictions', ({ isRestricted }) => Number(isRestricted)),
  ],
  [
    TOKEN_INFORMATION_CLASS.TokenIntegrityLevel,
    measured(QUERY, (token) => ({
      needed: SIZE.SID_AND_ATTRIBUTES + sidLength(token.integrityLevel),
      fields: { Label: labelOf(token) },
    })),
  ],
]);

const queryInformationToken = queryService<Token, TokenInformation>(
  'QueryInformationToken',
  SeTokenObjectType,
  CLASSES,
);

/** The form of NtQueryInformationToken: the fields are those of the class. */
export type QueryInformationToken = QueryInformation<TokenInformation>;

/**
 * Asks for information about a token; SIDs are text. Every class says how many bytes it takes.
 *
 * @returns STATUS_SUCCESS with the class's fields; STATUS_BUFFER_TOO_SMALL; STATUS_INVALID_INFO_CLASS;
 *   STATUS_INVALID_PARAMETER for the level of a primary token; what handles come to.
 * @irql PASSIVE_LEVEL
 * @nt NtQueryInformationToken (partial: STATUS_NOT_IMPLEMENTED for source, primary group and default DACL)
 */
export const NtQueryInformationToken = queryInformationToken.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueryInformationToken (partial: STATUS_NOT_IMPLEMENTED for source, primary group and default DACL) */
export const ZwQueryInformationToken = queryInformationToken.zw;
