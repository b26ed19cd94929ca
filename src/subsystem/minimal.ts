import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import { ddiTime, type KernelCode } from '../ke/mode';
import { currentGuest, NtCall } from '../machine/guest';
import { clientIdOf } from '../ps/cid';
import { newProcess } from '../ps/create';
import { processManager } from '../ps/manager';
import type { PicoProcess } from './routines';

/** Minimal processes without a provider: address spaces of the kernel's own, such as Registry and MemCompression. */

/**
 * A process of the system's parentage without ntdll, environment blocks and images, and without a
 * thread; PsCreateSystemThread gives it some. Who is told of processes hears of it with its first
 * thread, as of one that is no subsystem's: without an image and a command line.
 *
 * @returns SUCCESS; INSUFFICIENT_RESOURCES.
 * @irql PASSIVE_LEVEL
 * @nt PsCreateMinimalProcess (partial: named by literature only; a name in place of attributes)
 */
export function PsCreateMinimalProcess(name: string): NtCall<PicoProcess> {
  const routine = 'PsCreateMinimalProcess';
  return new NtCall(routine, () => create(routine, name));
}

function* create(routine: string, name: string): KernelCode<PicoProcess> {
  const { machine, thread: creator } = currentGuest(routine);
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  yield ddiTime(machine);
  const ps = processManager(machine);
  const origin = { imageFileName: null, creator: clientIdOf(creator), minimal: true };
  const process = newProcess(ps, { name, parent: machine.systemProcess }, origin);
  if (process === undefined) return { status: STATUS.INSUFFICIENT_RESOURCES, process };
  ps.minimalProcesses++;
  return { status: STATUS.SUCCESS, process };
}
