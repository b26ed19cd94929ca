import type { Lifecycle } from '../machine/lifecycle';
import { Machine } from '../machine/machine';
import { PerMachine } from '../machine/per-machine';
import { type NewProcessOptions, type ProcessCreation, requestProcess } from './embed';
import { driverImage } from './image';
import { PsLifecycle } from './lifecycle';
import { notifySystemImage } from './load';
import './protection';
import { PsState } from './state';

/** The process manager of a machine. From its first use on it is in the life of every thread. */
export class ProcessManager extends PsState {
  /** @internal */ readonly lifecycle: Lifecycle = new PsLifecycle(this);

  constructor(machine: Machine) {
    super(machine);
    machine.lifecycle = this.lifecycle;
    const { drivers } = machine;
    drivers.onLoad((driver) => notifySystemImage(this, driverImage(driver)));
    drivers.onUnload((driver) =>
      [this.processNotify, this.threadNotify, this.imageNotify].flatMap((table) =>
        table.leftBy(driver),
      ),
    );
  }

  /**
   * Makes a process from outside of any guest, when the machine runs on. Guests call
   * NtCreateUserProcess.
   */
  createProcess(options: NewProcessOptions): ProcessCreation {
    return requestProcess(this, options);
  }
}

const managers = new PerMachine((machine) => new ProcessManager(machine));

export function processManager(machine: Machine): ProcessManager {
  return managers.of(machine);
}

/** The same, for who only looks; undefined: it is in nobody's life yet. */
export function knownProcessManager(machine: Machine): ProcessManager | undefined {
  return managers.peek(machine);
}

Machine.lifecycleOf = (machine) => processManager(machine).lifecycle;
