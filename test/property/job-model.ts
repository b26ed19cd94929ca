import { STATUS } from '../../assembly/shared/status';

/** Jobs and processes as plain lists, by number. */

export const BREAKAWAY = 0x800;
export const SILENT = 0x1000;
export const KILL = 0x2000;

interface ModelJob {
  parent: number | undefined;
  members: number[];
  total: number;
  kept: number;
  /** Of active processes. */
  limit: number;
  flags: number;
  open: boolean;
}

interface ModelProcess {
  job: number | undefined;
  alive: boolean;
}

export class JobModel {
  readonly jobs: ModelJob[] = [];
  readonly processes: ModelProcess[] = [];

  /** Numbers of jobs that have handles. */
  get open(): number[] {
    return this.jobs.flatMap(({ open }, number) => (open ? [number] : []));
  }

  makeJob(): void {
    const limit = Number.POSITIVE_INFINITY;
    const job = { parent: undefined, members: [], total: 0, kept: 0, limit, flags: 0, open: true };
    this.jobs.push(job);
  }

  private job(number: number): ModelJob {
    return this.jobs[number] as ModelJob;
  }

  private process(number: number): ModelProcess {
    return this.processes[number] as ModelProcess;
  }

  private chain(number: number | undefined): number[] {
    return number === undefined ? [] : [number, ...this.chain(this.job(number).parent)];
  }

  private join(process: ModelProcess, id: number, number: number): number {
    const inside = this.chain(process.job);
    if (inside.includes(number)) return STATUS.SUCCESS;
    const job = this.job(number);
    const nests = process.job !== undefined && job.total === 0 && job.parent === undefined;
    const outside = nests ? [number] : this.chain(number);
    const level = process.job === undefined ? outside.length : outside.indexOf(process.job);
    if (!nests && level < 0) return STATUS.ACCESS_DENIED;
    const entered = nests ? outside : outside.slice(0, level);
    const full = entered.find((at) => this.job(at).members.length >= this.job(at).limit);
    if (full !== undefined) {
      this.job(full).total++;
      this.job(full).kept++;
      return STATUS.QUOTA_EXCEEDED;
    }
    if (nests) job.parent = process.job;
    process.job = number;
    for (const at of entered) {
      this.job(at).members.push(id);
      this.job(at).total++;
    }
    return STATUS.SUCCESS;
  }

  private leave(process: ModelProcess, id: number): void {
    process.alive = false;
    for (const at of this.chain(process.job)) {
      const job = this.job(at);
      job.members = job.members.filter((member) => member !== id);
    }
  }

  /** Which job a child stays in; a status: it may not break away. */
  private inherited(parent: number | undefined, breakaway: boolean): number[] | number {
    let at = parent === undefined ? undefined : this.process(parent).job;
    const lets = (flags: number) => at !== undefined && (this.job(at).flags & flags) !== 0;
    if (breakaway && at !== undefined && !lets(BREAKAWAY | SILENT)) return STATUS.ACCESS_DENIED;
    while (at !== undefined && lets(breakaway ? BREAKAWAY | SILENT : SILENT))
      at = this.job(at).parent;
    return at === undefined ? [] : [at];
  }

  spawn(parent: number | undefined, breakaway: boolean, list: readonly number[]): number {
    if (parent !== undefined && !this.process(parent).alive) return STATUS.PROCESS_IS_TERMINATING;
    const first = this.inherited(parent, breakaway);
    if (typeof first === 'number') return first;
    const process: ModelProcess = { job: undefined, alive: true };
    const id = this.processes.length;
    for (const number of [...first, ...list]) {
      const status = this.join(process, id, number);
      if (status === STATUS.SUCCESS) continue;
      this.leave(process, id);
      return status;
    }
    this.processes.push(process);
    return STATUS.SUCCESS;
  }

  assign(number: number, id: number): number {
    const process = this.process(id);
    if (!process.alive) return STATUS.PROCESS_IS_TERMINATING;
    const status = this.join(process, id, number);
    if (status === STATUS.QUOTA_EXCEEDED) this.leave(process, id);
    return status;
  }

  terminate(id: number): number {
    if (!this.process(id).alive) return STATUS.PROCESS_IS_TERMINATING;
    this.leave(this.process(id), id);
    return STATUS.SUCCESS;
  }

  terminateJob(number: number): void {
    for (const id of this.job(number).members) this.leave(this.process(id), id);
  }

  limit(number: number, limit: number, flags: number): void {
    this.job(number).limit = limit;
    this.job(number).flags = flags;
  }

  close(number: number): void {
    this.job(number).open = false;
    if ((this.job(number).flags & KILL) !== 0) this.terminateJob(number);
  }

  /** Of each job that has a handle its accounts and members, of each process whether it is in some job. */
  get shown(): unknown {
    return [
      this.open.map((number) => {
        const { total, members, kept } = this.job(number);
        return [total, members.length, kept, [...members]];
      }),
      this.processes.map(({ job }) => job !== undefined),
    ];
  }

  /** Jobs that there are: those with a handle or a process, and those that such are nested in. */
  get living(): number {
    const kept = this.jobs.flatMap(({ open, members }, number) =>
      open || members.length !== 0 ? this.chain(number) : [],
    );
    return new Set(kept).size;
  }
}
