import type { Lifecycle } from '../machine/lifecycle';
import { Machine } from '../machine/machine';
import { PerMachine } from '../machine/per-machine';
import { PsLifecycle } from './lifecycle';
import { PsState } from './state';

/** The process manager of a machine. From its first use on it is in the life of every thread. */
export class ProcessManager extends PsState {
  /** @internal */ readonly lifecycle: Lifecycle = new PsLifecycle(this);

  constructor(machine: Machine) {
    super(machine);
    machine.lifecycle = this.lifecycle;
  }
}

const managers = new PerMachine((machine) => new ProcessManager(machine));

export function processManager(machine: Machine): ProcessManager {
  return managers.of(machine);
}

Machine.lifecycleOf = (machine) => processManager(machine).lifecycle;
