import type { GuestResult } from '../machine/dpc';
import type { DriverObject } from '../machine/driver';
import type { JobObject } from './job';

/** What drivers are told of server silos. */

/** SILO_MONITOR_CREATE_CALLBACK: an error keeps the silo from being. The host is null. */
export type SiloMonitorCreateCallback = (silo: JobObject | null) => GuestResult<number>;

/** SILO_MONITOR_TERMINATE_CALLBACK: it must give back what it refers to of the silo. */
export type SiloMonitorTerminateCallback = (silo: JobObject | null) => GuestResult;

/** SILO_MONITOR_REGISTRATION. */
export interface SiloMonitorRegistration {
  /** 1. */
  readonly Version: number;
  /** The host silo is told of, too. */
  readonly MonitorHost: boolean;
  /** Silos that there are when it starts are told of. */
  readonly MonitorExistingSilos: boolean;
  /** One of the two names is given. */
  readonly DriverObjectName?: string;
  readonly ComponentName?: string;
  readonly CreateCallback: SiloMonitorCreateCallback | null;
  readonly TerminateCallback: SiloMonitorTerminateCallback | null;
}

/** SILO_MONITOR. */
export class SiloMonitor {
  /** @internal */ started = false;
  /** @internal Silos that it has been told of, and not of their end. */
  readonly told = new Set<JobObject | null>();

  /** @internal */
  constructor(
    readonly registration: SiloMonitorRegistration,
    readonly contextSlot: number,
    /** @internal Whose code registered it. */ readonly driver: DriverObject | undefined,
  ) {}
}
