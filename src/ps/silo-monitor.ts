import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import type { KernelCode } from '../ke/mode';
import { currentGuest, invoke, NtCall, nameOfRoutine } from '../machine/guest';
import type { Machine } from '../machine/machine';
import { PerMachine } from '../machine/per-machine';
import type { JobObject } from './job';
import { type Silo, serverSiloOf, siloManager, siloOfThread } from './silo';
import { takeSlot } from './silo-context';
import { SiloMonitor, type SiloMonitorRegistration } from './silo-monitor-object';

/** Monitors of server silos: drivers that keep something for each. */

const REGISTRATION_VERSION = 1;

/** A monitor that was registered. */
export interface SiloMonitorResult {
  readonly status: number;
  readonly monitor: SiloMonitor | undefined;
}

const noMonitor = (status: number): SiloMonitorResult => ({ status, monitor: undefined });

/** Sees, from the first monitor on, that drivers take theirs back before they are unloaded. */
const watched = new PerMachine((machine) =>
  machine.drivers.onUnload((driver) =>
    [...siloManager(machine).monitors]
      .filter((monitor) => monitor.driver === driver)
      .flatMap(({ registration }) => {
        const routine = registration.TerminateCallback;
        if (routine === null) return [];
        return [{ what: `the silo monitor of ${nameOfRoutine(routine)}`, routine }];
      }),
  ),
);

/**
 * Registers a monitor, with a context slot of its own. It is told of nothing before it is started, and must
 * be unregistered before its driver is unloaded.
 *
 * @returns SUCCESS; INVALID_PARAMETER: another version, no name, or no terminate callback;
 *   PRIVILEGE_NOT_HELD: called in a server silo; INSUFFICIENT_RESOURCES: no slot is left.
 * @irql PASSIVE_LEVEL   @nt PsRegisterSiloMonitor
 */
export function PsRegisterSiloMonitor(registration: SiloMonitorRegistration): SiloMonitorResult {
  const routine = 'PsRegisterSiloMonitor';
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const { machine, thread, stack } = currentGuest(routine);
  const { Version, ComponentName = '', DriverObjectName = '', TerminateCallback } = registration;
  const named = ComponentName !== '' || DriverObjectName !== '';
  if (Version !== REGISTRATION_VERSION || !named || TerminateCallback === null)
    return noMonitor(STATUS.INVALID_PARAMETER);
  if (serverSiloOf(siloOfThread(thread)) !== null) return noMonitor(STATUS.PRIVILEGE_NOT_HELD);
  const manager = siloManager(machine);
  const slot = takeSlot(manager);
  if (slot === undefined) return noMonitor(STATUS.INSUFFICIENT_RESOURCES);
  const monitor = new SiloMonitor(registration, slot, stack.driver);
  watched.of(machine);
  manager.monitors.add(monitor);
  return { status: STATUS.SUCCESS, monitor };
}

/** Tells a monitor of a silo. @returns what it returned. */
function* tellOfCreation(monitor: SiloMonitor, silo: Silo): KernelCode<number> {
  const { CreateCallback } = monitor.registration;
  const status =
    CreateCallback === null ? STATUS.SUCCESS : yield* invoke(monitor.driver, CreateCallback, silo);
  if ((status | 0) >= 0) monitor.told.add(silo);
  return status >>> 0;
}

/** Tells a monitor that was told of a silo of its end. */
function* tellOfEnd(monitor: SiloMonitor, silo: Silo): KernelCode<void> {
  const { TerminateCallback } = monitor.registration;
  if (!monitor.told.delete(silo) || TerminateCallback === null) return;
  yield* invoke(monitor.driver, TerminateCallback, silo);
}

/** Tells the monitors that are started of a new server silo; the first error ends that. */
export function* announceSilo(machine: Machine, silo: JobObject): KernelCode<number> {
  for (const monitor of [...siloManager(machine).monitors]) {
    if (!monitor.started) continue;
    const status = yield* tellOfCreation(monitor, silo);
    if ((status | 0) < 0) return status;
  }
  return STATUS.SUCCESS;
}

/** Tells those who have heard of a silo of its end. */
export function* announceSiloEnd(machine: Machine, silo: JobObject): KernelCode<void> {
  for (const monitor of [...siloManager(machine).monitors]) yield* tellOfEnd(monitor, silo);
}

function* start(monitor: SiloMonitor, machine: Machine): KernelCode<number> {
  const manager = siloManager(machine);
  if (monitor.started || !manager.monitors.has(monitor)) return STATUS.REQUEST_ABORTED;
  const { MonitorHost, MonitorExistingSilos } = monitor.registration;
  const servers = manager.startedServers();
  if (servers.length !== 0 && !MonitorExistingSilos) return STATUS.NOT_SUPPORTED;
  monitor.started = true;
  const silos: Silo[] = MonitorHost ? [null, ...servers] : servers;
  for (const silo of silos) {
    const status = yield* tellOfCreation(monitor, silo);
    if ((status | 0) >= 0) continue;
    monitor.started = false;
    for (const told of [...monitor.told]) yield* tellOfEnd(monitor, told);
    return STATUS.REQUEST_ABORTED;
  }
  return STATUS.SUCCESS;
}

/**
 * Starts a monitor: it is told of the host and of the server silos that there are, if it wants to be, and
 * of those to come.
 *
 * @returns SUCCESS; REQUEST_ABORTED: it is started, or one of its callbacks failed; NOT_SUPPORTED: there
 *   are server silos, and it does not want to be told of them.
 * @irql PASSIVE_LEVEL   @nt PsStartSiloMonitor
 */
export function PsStartSiloMonitor(monitor: SiloMonitor): NtCall<number> {
  const routine = 'PsStartSiloMonitor';
  return new NtCall(routine, () => startSiloMonitor(routine, monitor));
}

function* startSiloMonitor(routine: string, monitor: SiloMonitor): KernelCode<number> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  return yield* start(monitor, currentGuest(routine).machine);
}

/** The slot in which a monitor keeps its contexts. @irql any @nt PsGetSiloMonitorContextSlot */
export function PsGetSiloMonitorContextSlot(monitor: SiloMonitor): number {
  currentGuest('PsGetSiloMonitorContextSlot');
  return monitor.contextSlot;
}

/**
 * Ends a monitor: it is told of nothing more. Waits until every context has left its slot, which is free
 * then.
 *
 * @irql PASSIVE_LEVEL   @nt PsUnregisterSiloMonitor
 */
export function PsUnregisterSiloMonitor(monitor: SiloMonitor): NtCall<void> {
  const routine = 'PsUnregisterSiloMonitor';
  return new NtCall(routine, () => unregisterSiloMonitor(routine, monitor));
}

function* unregisterSiloMonitor(routine: string, monitor: SiloMonitor): KernelCode<void> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.PASSIVE_LEVEL);
  const manager = siloManager(currentGuest(routine).machine);
  if (!manager.monitors.delete(monitor)) return;
  yield* manager.untilEmpty(monitor.contextSlot);
  manager.slots.delete(monitor.contextSlot);
}
