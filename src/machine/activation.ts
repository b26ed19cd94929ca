import { KACTIVATION, KPRCB, KSYSTEM, KTHREAD } from '../../assembly/shared/layout';
import { ACTIVATION, THREAD_FLAG } from '../../assembly/shared/types';
import { KDpc } from './dpc';
import type { DriverObject } from './driver';
import { MachineError } from './errors';
import type { Machine } from './machine';
import { KInterrupt } from './spinlock';
import type { KernelObject, KThread } from './views';

/** A routine that runs on a processor in front of its current thread: a DPC, or an interrupt service routine. */
export class Activation {
  readonly processor: number;
  readonly level: number;
  private readonly address: number;

  constructor(
    private readonly machine: Machine,
    /** As the core names it. */
    index: number,
  ) {
    const row = index - ACTIVATION.Mark;
    this.processor = Math.floor(row / ACTIVATION.Levels);
    this.level = row % ACTIVATION.Levels;
    const base = machine.memory.u32(KSYSTEM.Address + KSYSTEM.ActivationBase);
    this.address = base + row * KTHREAD.Size;
  }

  get name(): string {
    return `a routine at IRQL ${this.level} on processor ${this.processor}`;
  }

  /** The thread in front of which it runs: the idle thread if there is none. */
  get thread(): KThread {
    const { memory } = this.machine;
    const prcb = memory.u32(KSYSTEM.Address + KSYSTEM.PrcbBase) + this.processor * KPRCB.Size;
    return this.machine.threadAt(memory.u32(prcb + KPRCB.CurrentThread)) ?? this.machine.idleThread;
  }

  get status(): number {
    return this.machine.memory.u32(this.address + KTHREAD.WaitStatus);
  }

  takeRaised(): boolean {
    const flags = this.machine.memory.u32(this.address + KTHREAD.Flags);
    if ((flags & THREAD_FLAG.Raised) === 0) return false;
    this.machine.memory.setU32(this.address + KTHREAD.Flags, flags & ~THREAD_FLAG.Raised);
    return true;
  }

  private findObject(): KernelObject | undefined {
    return this.machine.hostObject(this.machine.memory.u32(this.address + KACTIVATION.Object));
  }

  /** The driver that the routine is of. */
  get driver(): DriverObject | undefined {
    const object = this.findObject();
    return object instanceof KDpc || object instanceof KInterrupt ? object.driver : undefined;
  }

  /** Whether it is the service routine of an interrupt. */
  get isServiceRoutine(): boolean {
    return this.findObject() instanceof KInterrupt;
  }

  /** What the routine is called. */
  get routineName(): string {
    const object = this.findObject();
    let name = '';
    if (object instanceof KDpc) name = object.routineName;
    if (object instanceof KInterrupt) name = object.serviceRoutine.name;
    return name === '' ? this.name : name;
  }

  /** Calls the routine. */
  start(): unknown {
    const object = this.findObject();
    if (object instanceof KDpc) return object.call(this.address);
    if (object instanceof KInterrupt && typeof object.serviceRoutine === 'function') {
      return object.serviceRoutine(object, object.serviceContext);
    }
    throw new MachineError(`${this.name} has no routine of the host`);
  }
}
