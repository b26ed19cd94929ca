import { MODE } from '../../assembly/shared/types';
import { currentGuest } from '../machine/guest';
import type { KProcess, KThread } from '../machine/views';
import { PsProcessType, PsThreadType } from '../ob/types';
import { PROCESS_ACCESS, THREAD_ACCESS } from './access';
import type { ProcessExecutive } from './executive';
import { releaseToken } from './token';

/**
 * Protected processes: user mode of a process that is not protected as highly gets only limited access
 * to one, whatever its privileges are.
 */

/** Type of PS_PROTECTION, its bits 0 to 2. */
export const enum PS_PROTECTED_TYPE {
  PsProtectedTypeNone = 0,
  PsProtectedTypeProtectedLight = 1,
  PsProtectedTypeProtected = 2,
}

/** Signer of PS_PROTECTION, its bits 4 to 7. */
export const enum PS_PROTECTED_SIGNER {
  PsProtectedSignerNone = 0,
  PsProtectedSignerAuthenticode = 1,
  PsProtectedSignerCodeGen = 2,
  PsProtectedSignerAntimalware = 3,
  PsProtectedSignerLsa = 4,
  PsProtectedSignerWindows = 5,
  PsProtectedSignerWinTcb = 6,
  PsProtectedSignerWinSystem = 7,
  PsProtectedSignerApp = 8,
}

/** PS_PROTECTION as it is kept: a byte. */
export function protectionLevel(type: PS_PROTECTED_TYPE, signer: PS_PROTECTED_SIGNER): number {
  return type | (signer << 4);
}

/** Which signers a process of a signer may open with every access, as bits. */
const DOMINATED: readonly number[] = [0, 0x002, 0x004, 0x108, 0x110, 0x13e, 0x17e, 0x1fe, 0x100];

/** What nobody else gets of a protected process or thread; the limited rights are left. */
const DENIED_PROCESS = 0xfc7fe;
const DENIED_THREAD = 0xfe3fd;
/** Of these signers not even the right to end it, nor to stop its threads. */
const UNSTOPPABLE =
  (1 << PS_PROTECTED_SIGNER.PsProtectedSignerAntimalware) |
  (1 << PS_PROTECTED_SIGNER.PsProtectedSignerLsa) |
  (1 << PS_PROTECTED_SIGNER.PsProtectedSignerWinTcb) |
  (1 << PS_PROTECTED_SIGNER.PsProtectedSignerWinSystem);

const levelOf = (process: KProcess): number =>
  (process.executive as ProcessExecutive | undefined)?.protection ?? 0;
const typeOf = (level: number): number => level & 7;
const signerOf = (level: number): number => (level >> 4) & 0xf;

/** Whether a process of one protection may do with one of another what it likes. */
export function mayAccessProtected(source: number, target: number): boolean {
  if (typeOf(target) === PS_PROTECTED_TYPE.PsProtectedTypeNone) return true;
  if (typeOf(source) < typeOf(target)) return false;
  return (((DOMINATED[signerOf(source)] ?? 0) >> signerOf(target)) & 1) !== 0;
}

/** The access that the caller may have at most to what belongs to a process. */
function allowed(
  target: KProcess,
  mode: MODE,
  every: number,
  denied: number,
  stop: number,
): number {
  const level = levelOf(target);
  if (level === 0 || mode === MODE.KernelMode) return every;
  const { process } = currentGuest('PspCheckProtectedAccess').thread;
  if (process === target || mayAccessProtected(levelOf(process), level)) return every;
  const unstoppable = ((UNSTOPPABLE >> signerOf(level)) & 1) !== 0;
  return every & ~(unstoppable ? denied | stop : denied);
}

PsProcessType.procedures = {
  ...PsProcessType.procedures,
  security: (process, _desiredAccess, mode) =>
    allowed(
      process as KProcess,
      mode,
      PROCESS_ACCESS.ALL_ACCESS,
      DENIED_PROCESS,
      PROCESS_ACCESS.TERMINATE,
    ),
  delete: (process) => releaseToken(process as KProcess),
  count: (machine) => [...machine.allProcesses()].length,
};

PsThreadType.procedures = {
  ...PsThreadType.procedures,
  security: (thread, _desiredAccess, mode) =>
    allowed(
      (thread as KThread).process,
      mode,
      THREAD_ACCESS.ALL_ACCESS,
      DENIED_THREAD,
      THREAD_ACCESS.SUSPEND_RESUME,
    ),
  count: (machine) => [...machine.allThreads()].length,
};
