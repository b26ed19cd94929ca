import type { Machine } from '../../src/machine/machine';
import type { KProcess, KThread } from '../../src/machine/views';
import { processManager } from '../../src/ps/manager';
import { PicoServices } from '../../src/subsystem/dispatch';
import { HostRegisters, PICO_ROUTINES } from '../../src/subsystem/routines';
import { FileTable } from '../../src/subsystem/wsl/file';
import { HostGuest } from '../../src/subsystem/wsl/guest';
import { WslKernel } from '../../src/subsystem/wsl/kernel';
import type { AddressSpace } from '../../src/subsystem/wsl/memory';
import { LinuxProcess, LinuxThread } from '../../src/subsystem/wsl/state';
import { type LinuxMain, LinuxUser } from '../../src/subsystem/wsl/user';
import type { Request } from '../../src/machine/guest';
import { outcomes, type Stage, type Step } from './harness';

/** Threads of Linux for litmus tests: they are there from the beginning, in the processes that a test says. */

type HostBody = Generator<Request, void, number>;

const SIGCHLD = 17;

/** A process of Linux without a thread. */
export class LitmusProcess {
  readonly memory: AddressSpace;
  readonly kprocess: KProcess;

  constructor(
    readonly linux: LinuxProcess,
    kernel: WslKernel,
    pico: PicoServices,
  ) {
    this.memory = kernel.newMemory();
    this.kprocess = kernel.machine.createProcess({ name: `pid ${linux.pid}` });
    this.kprocess.systemServices = pico;
    this.kprocess.picoContext = linux;
    linux.kprocess = this.kprocess;
    kernel.state.processes.set(linux.pid, linux);
    linux.parent?.children.add(linux);
  }
}

/** The processes of a test, and what its threads call. */
export class LitmusLinux {
  private readonly users = new Map<string, LinuxUser>();
  private readonly guests = new Map<string, HostGuest>();
  private readonly kernel: WslKernel;
  private readonly pico: PicoServices;
  private readonly processes: LitmusProcess[];

  /** `homes`: the threads that are not in the first process, and in which of its children they are, from 1. */
  constructor(
    machine: Machine,
    private readonly homes: Readonly<Record<string, number>>,
  ) {
    this.kernel = new WslKernel(machine, { rootfs: '', sharedWordBytes: 4 });
    this.kernel.routines = PICO_ROUTINES;
    this.pico = new PicoServices(machine, this.kernel.provider);
    processManager(machine).pico = this.pico;
    const image = { path: '/litmus', argv: [] };
    const init = new LinuxProcess(this.kernel.state.newId(), undefined, new FileTable(), 0, image);
    this.processes = [new LitmusProcess(init, this.kernel, this.pico)];
    const children = Math.max(0, ...Object.values(homes));
    for (let child = 0; child < children; child++) {
      const pid = this.kernel.state.newId();
      const linux = new LinuxProcess(pid, init, new FileTable(), SIGCHLD, image);
      this.processes.push(new LitmusProcess(linux, this.kernel, this.pico));
    }
  }

  private homeOf(name: string): LitmusProcess {
    return this.processes[this.homes[name] ?? 0] as LitmusProcess;
  }

  /** What a thread calls. */
  user(name: string): LinuxUser {
    const known = this.users.get(name);
    if (known !== undefined) return known;
    const made = new LinuxUser(this.guest(name));
    this.users.set(name, made);
    return made;
  }

  private guest(name: string): HostGuest {
    const known = this.guests.get(name);
    if (known !== undefined) return known;
    const made = new HostGuest(this.homeOf(name).memory);
    this.guests.set(name, made);
    return made;
  }

  /** Makes a path executable. */
  install(path: string, main: LinuxMain): void {
    this.kernel.executables.set(path, main);
  }

  create(name: string, body: () => HostBody, affinity: bigint): KThread {
    const { state } = this.kernel;
    const { linux, kprocess } = this.homeOf(name);
    const event = state.newEvent();
    if (event === undefined) throw new Error('no room for an event');
    const tid = linux.threads.size === 0 ? linux.pid : state.newId();
    const thread = new LinuxThread(tid, linux, this.guest(name), event);
    state.threads.set(tid, thread);
    linux.threads.set(tid, thread);
    const kthread = kprocess.createThread(body, { name, affinity, userMode: true });
    thread.kthread = kthread;
    kthread.picoContext = thread;
    kthread.userRegisters = new HostRegisters();
    return kthread;
  }

  /** Blocks signals in a thread from the beginning. */
  block(name: string, mask: bigint): void {
    for (const thread of this.kernel.state.threads.values())
      if (thread.kthread?.name === name) thread.mask = mask;
  }

  /** Gives the first process a handler. */
  handle(signal: number, handler: () => void): void {
    const { linux } = this.processes[0] as LitmusProcess;
    const address = 0x40_0000 + linux.code.size;
    linux.code.set(address, () => {
      handler();
      return undefined;
    });
    linux.actions[signal - 1] = { handler: address, flags: 0, restorer: 0, mask: 0n };
  }

  /** What is left of threads and processes. */
  get left(): string {
    const { threads, processes } = this.kernel.state.counts;
    return `threads ${threads}, processes ${processes}`;
  }

  get state(): string {
    const { futexes } = this.kernel.state.counts;
    return `futexes ${futexes}`;
  }
}

/** A step of a thread, which knows what it calls. */
export type LinuxStep = (user: LinuxUser, stage: Stage) => ReturnType<Step>;

export interface LinuxLitmus {
  readonly threads: Readonly<Record<string, readonly LinuxStep[]>>;
  /** As of LitmusLinux. Default: all threads are in one process. */
  readonly homes?: Readonly<Record<string, number>>;
  /** What is done before there are threads. */
  readonly prepare?: (linux: LitmusLinux) => void;
  /** Signals that every thread blocks from the beginning. */
  readonly blocked?: bigint;
  readonly moments?: readonly string[];
  readonly state?: (linux: LitmusLinux) => string;
}

/** What threads of Linux can come to, as of \`outcomes\`. */
export function linuxOutcomes(litmus: LinuxLitmus): Promise<string[]> {
  const { threads, homes = {}, prepare, blocked, moments, state } = litmus;
  return outcomes<LitmusLinux>({
    objects: ({ machine }) => {
      const linux = new LitmusLinux(machine, homes);
      prepare?.(linux);
      return linux;
    },
    create: (linux, name, body, affinity) => {
      const thread = linux.create(name, body, affinity);
      if (blocked !== undefined) linux.block(name, blocked);
      return thread;
    },
    threads: (linux, stage) =>
      Object.fromEntries(
        Object.entries(threads).map(([name, steps]) => [
          name,
          steps.map((step) => () => step(linux.user(name), stage)),
        ]),
      ),
    ...(moments === undefined ? {} : { moments }),
    ...(state === undefined ? {} : { state }),
  });
}
