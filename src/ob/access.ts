import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';

/** Access masks: generic rights are mapped to a type's own; what is granted is in the handle. */

/** Rights that every type has, and the generic ones. */
export const enum ACCESS {
  DELETE = 0x10000,
  READ_CONTROL = 0x20000,
  WRITE_DAC = 0x40000,
  WRITE_OWNER = 0x80000,
  STANDARD_RIGHTS_REQUIRED = 0xf0000,
  SYNCHRONIZE = 0x100000,
  STANDARD_RIGHTS_ALL = 0x1f0000,
  ACCESS_SYSTEM_SECURITY = 0x1000000,
  MAXIMUM_ALLOWED = 0x2000000,
  GENERIC_ALL = 0x10000000,
  GENERIC_EXECUTE = 0x20000000,
  GENERIC_WRITE = 0x40000000,
  GENERIC_READ = 0x80000000,
}

/** GENERIC_MAPPING. */
export interface GenericMapping {
  readonly genericRead: number;
  readonly genericWrite: number;
  readonly genericExecute: number;
  readonly genericAll: number;
}

const GENERIC = ACCESS.GENERIC_ALL | ACCESS.GENERIC_EXECUTE | ACCESS.GENERIC_WRITE;

/** The mask with its generic rights replaced by what they stand for. @irql any @nt RtlMapGenericMask */
export function RtlMapGenericMask(accessMask: number, mapping: GenericMapping): number {
  let mapped = accessMask & ~(GENERIC | ACCESS.GENERIC_READ);
  if ((accessMask & ACCESS.GENERIC_READ) !== 0) mapped |= mapping.genericRead;
  if ((accessMask & ACCESS.GENERIC_WRITE) !== 0) mapped |= mapping.genericWrite;
  if ((accessMask & ACCESS.GENERIC_EXECUTE) !== 0) mapped |= mapping.genericExecute;
  if ((accessMask & ACCESS.GENERIC_ALL) !== 0) mapped |= mapping.genericAll;
  return mapped >>> 0;
}

/** What is asked for of an object, and of what kind that is. */
interface AccessRequest {
  readonly desiredAccess: number;
  readonly mode: MODE;
  readonly mapping: GenericMapping;
  readonly validAccessMask: number;
  /** What the object's security lets the caller have. */
  readonly allowed: number;
  /** An access of nothing is refused: so is opening what exists. */
  readonly needsSome: boolean;
}

/** The granted access, or why there is none. Kernel mode gets what it asks for. */
export function grantAccess(request: AccessRequest): { status: number; granted: number } {
  const { mapping, validAccessMask, mode } = request;
  let mapped = RtlMapGenericMask(request.desiredAccess, mapping);
  const allowed = mode === MODE.KernelMode ? validAccessMask : request.allowed & validAccessMask;
  const maximum = (mapped & ACCESS.MAXIMUM_ALLOWED) !== 0;
  if (maximum) mapped = (mapped & ~ACCESS.MAXIMUM_ALLOWED) | (mapping.genericAll & allowed);
  if (mode === MODE.KernelMode) {
    const granted = mapped & (validAccessMask | ACCESS.ACCESS_SYSTEM_SECURITY);
    return { status: STATUS.SUCCESS, granted };
  }
  const unknown = mapped & ~(allowed | ACCESS.ACCESS_SYSTEM_SECURITY);
  if (unknown !== 0 || (mapped === 0 && request.needsSome))
    return { status: STATUS.ACCESS_DENIED, granted: 0 };
  if ((mapped & ACCESS.ACCESS_SYSTEM_SECURITY) !== 0)
    return { status: STATUS.PRIVILEGE_NOT_HELD, granted: 0 };
  return { status: STATUS.SUCCESS, granted: mapped };
}
