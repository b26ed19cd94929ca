import type { Machine } from './machine';

/** What a floor above keeps for each machine: made with its first use, gone with the machine. */
export class PerMachine<T> {
  private readonly values = new WeakMap<Machine, T>();

  constructor(private readonly make: (machine: Machine) => T) {}

  of(machine: Machine): T {
    const known = this.values.get(machine);
    if (known !== undefined) return known;
    const made = this.make(machine);
    this.values.set(machine, made);
    return made;
  }

  /** What has been made; undefined: nobody has used it. */
  peek(machine: Machine): T | undefined {
    return this.values.get(machine);
  }
}
