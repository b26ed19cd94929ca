import { SIG, WAIT } from '../../src/subsystem/wsl/abi';
import { ERRNO } from '../../src/subsystem/wsl/errno';

/** What Linux says of a tree of processes with one thread each: plain and slow. */

const CONTINUED = 0xffff;

export class ModelProcess {
  readonly children: ModelProcess[] = [];
  pgid: number;
  sid: number;
  zombie = false;
  status = 0;
  stopped = false;
  /** What is to be told of its having been stopped or continued. */
  change: number | undefined;
  /** SIGUSR1 is blocked. */
  blocked = false;
  readonly pending = new Set<number>();
  /** How often SIGUSR1 has been handled. */
  handled = 0;
  executed = false;

  constructor(
    readonly pid: number,
    public parent: ModelProcess | undefined,
  ) {
    this.pgid = parent?.pgid ?? pid;
    this.sid = parent?.sid ?? pid;
    this.blocked = parent?.blocked ?? false;
  }

  get runs(): boolean {
    return !this.zombie && !this.stopped;
  }
}

/** Which of a caller's children a wait means: an id, -1 for any, 0 for those of its group. */
const isMeant = (child: ModelProcess, pid: number, { pgid }: ModelProcess) =>
  pid === -1 || child.pid === pid || (pid === 0 && child.pgid === pgid);

export class TreeModel {
  readonly processes = new Map<number, ModelProcess>();
  readonly init: ModelProcess;
  private lastPid = 0;

  constructor() {
    this.init = this.make(undefined);
  }

  private make(parent: ModelProcess | undefined): ModelProcess {
    this.lastPid++;
    const made = new ModelProcess(this.lastPid, parent);
    this.processes.set(made.pid, made);
    parent?.children.push(made);
    return made;
  }

  /** Who can be told to do something. */
  get running(): ModelProcess[] {
    return [...this.processes.values()].filter(({ runs }) => runs);
  }

  fork(parent: ModelProcess): ModelProcess {
    const child = this.make(parent);
    // Those of init lead groups of their own, so that nobody's group is init's.
    if (parent === this.init) child.pgid = child.pid;
    return child;
  }

  end(process: ModelProcess, status: number): void {
    process.zombie = true;
    process.stopped = false;
    process.change = undefined;
    process.status = status;
    for (const child of process.children.splice(0)) {
      child.parent = this.init;
      this.init.children.push(child);
    }
  }

  kill(sender: ModelProcess, pid: number, signal: number): number {
    const all = [...this.processes.values()];
    const group = pid === 0 ? sender.pgid : -pid;
    const targets = all.filter((each) => (pid > 0 ? each.pid === pid : each.pgid === group));
    if (targets.length === 0) return -ERRNO.ESRCH;
    if (signal !== 0) for (const target of targets) this.send(target, signal);
    return 0;
  }

  private send(target: ModelProcess, signal: number): void {
    if (target.zombie) return;
    switch (signal) {
      case SIG.KILL:
        this.end(target, signal);
        break;
      case SIG.CONT:
        if (!target.stopped) break;
        target.stopped = false;
        target.change = CONTINUED;
        this.deliver(target);
        break;
      case SIG.STOP:
      case SIG.TSTP:
        if (target.stopped) break;
        target.stopped = true;
        target.change = (signal << 8) | 0x7f;
        break;
      case SIG.USR1:
      case SIG.TERM:
        target.pending.add(signal);
        this.deliver(target);
        break;
      default:
      // SIGUSR2 is ignored, and SIGWINCH by default.
    }
  }

  /** What a process that runs does with signals that wait for it. */
  private deliver(process: ModelProcess): void {
    if (process.stopped) return;
    const { pending } = process;
    if (pending.has(SIG.TERM)) {
      this.end(process, SIG.TERM);
      return;
    }
    if (process.blocked || !pending.delete(SIG.USR1)) return;
    process.handled++;
  }

  block(process: ModelProcess, blocked: boolean): number {
    process.blocked = blocked;
    this.deliver(process);
    return 0;
  }

  /** wait4 with WNOHANG, and what waitid tells with it: an id and a status. */
  wait(caller: ModelProcess, pid: number, options: number): readonly [number, number] {
    const meant = caller.children.filter((child) => isMeant(child, pid, caller));
    if (meant.length === 0) return [-ERRNO.ECHILD, 0];
    for (const child of meant) {
      const kind = child.change === CONTINUED ? WAIT.CONTINUED : WAIT.UNTRACED;
      const told = child.change !== undefined && (options & kind) !== 0;
      if (!child.zombie && !told) continue;
      const status = child.zombie ? child.status : (child.change ?? 0);
      if ((options & WAIT.NOWAIT) !== 0) return [child.pid, status];
      child.change = undefined;
      if (child.zombie) this.forget(caller, child);
      return [child.pid, status];
    }
    return [0, 0];
  }

  private forget(parent: ModelProcess, child: ModelProcess): void {
    parent.children.splice(parent.children.indexOf(child), 1);
    this.processes.delete(child.pid);
  }

  setpgid(caller: ModelProcess, pid: number, group: number): number {
    const target = pid === 0 ? caller : this.processes.get(pid);
    if (target === undefined) return -ERRNO.ESRCH;
    if (target.parent === caller) {
      if (target.sid !== caller.sid) return -ERRNO.EPERM;
      if (target.executed) return -ERRNO.EACCES;
    } else if (target !== caller) return -ERRNO.ESRCH;
    if (target.sid === target.pid) return -ERRNO.EPERM;
    const wanted = group === 0 ? target.pid : group;
    const all = [...this.processes.values()];
    const exists = all.some(({ pgid, sid }) => pgid === wanted && sid === caller.sid);
    if (wanted !== target.pid && !exists) return -ERRNO.EPERM;
    target.pgid = wanted;
    return 0;
  }

  setsid(process: ModelProcess): number {
    const { pid } = process;
    if ([...this.processes.values()].some(({ pgid }) => pgid === pid)) return -ERRNO.EPERM;
    process.sid = pid;
    process.pgid = pid;
    return pid;
  }
}
