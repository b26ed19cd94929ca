import { IRQL } from '../../assembly/shared/types';
import type { IoRequest, KFile } from '../io/file';
import { requireIrql, VIOLATION } from '../ke/call';
import { currentGuest } from '../machine/guest';
import type { KProcess } from '../machine/views';
import { processIdOf } from './cid';
import { imageOf } from './executive';
import { processManager } from './manager';

/** Whose I/O requests are. */

/** The process that the thread of a request is attached to, or its own. */
function requestorOf(routine: string, irp: IoRequest): KProcess {
  requireIrql(routine, VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  return irp.thread.attachedProcess;
}

/** The process that the thread that made a request is attached to, or belongs to. @irql at most DISPATCH_LEVEL @nt IoGetRequestorProcess */
export function IoGetRequestorProcess(irp: IoRequest): KProcess {
  return requestorOf('IoGetRequestorProcess', irp);
}

/** Its id. @irql at most DISPATCH_LEVEL @nt IoGetRequestorProcessId */
export function IoGetRequestorProcessId(irp: IoRequest): number {
  return processIdOf(requestorOf('IoGetRequestorProcessId', irp));
}

/** Whether the caller, or (with a request) who made that, is a 32-bit process. @irql at most DISPATCH_LEVEL @nt IoIs32bitProcess */
export function IoIs32bitProcess(irp: IoRequest | null): boolean {
  const routine = 'IoIs32bitProcess';
  const { machine, thread } = currentGuest(routine);
  const process = irp === null ? thread.process : requestorOf(routine, irp);
  return imageOf(processManager(machine), process)?.machine === 'x86';
}

/** NULL: no file is opened on behalf of another process than the caller's. @irql at most DISPATCH_LEVEL @nt IoGetInitiatorProcess (partial: no file has an initiator) */
export function IoGetInitiatorProcess(_fileObject: KFile): KProcess | null {
  requireIrql('IoGetInitiatorProcess', VIOLATION.IrqlKeDispatchLte, IRQL.DISPATCH_LEVEL);
  return null;
}
