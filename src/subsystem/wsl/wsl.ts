import { STATUS } from '../../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../../assembly/shared/types';
import { KeSetEvent, KeWaitForSingleObject } from '../../ke/ddi';
import type { DriverObject } from '../../machine/driver';
import { MachineError } from '../../machine/errors';
import type { Request } from '../../machine/generator';
import type { Machine } from '../../machine/machine';
import type { LoadedProgram } from '../../machine/program';
import type { KEvent, KProcess, KThread } from '../../machine/views';
import { PsRegisterPicoProvider } from '../provider';
import { type LinuxExecutable, startImage } from './execute';
import { FileTable, OpenFile } from './file';
import { ProgramGuest, type SignalHandler } from './guest';
import { WslKernel } from './kernel';
import { ConsoleFile } from './pipe';
import { makeThread } from './process';
import { SI } from './siginfo';
import { sendSignal } from './signal';
import { LinuxProcess, type LinuxThread } from './state';

/** The Linux personality of a machine: its driver, its executables, and its first processes. */

export interface WslOptions {
  /** What processes write to the console, descriptors 1 and 2 of the first ones. Default: it is dropped. */
  readonly output?: (text: string, pid: number) => void;
  /** Where the file system is for Windows: what file objects of executables are in. */
  readonly rootfs?: string;
}

export interface SpawnOptions {
  /** Default: the path alone. */
  readonly argv?: readonly string[];
  readonly envp?: readonly string[];
  /** By address, what it can give to rt_sigaction for a handler. */
  readonly code?: ReadonlyMap<number, SignalHandler | LoadedProgram>;
}

/** A process that the embedder has asked for. */
export class LinuxSpawn {
  /** NTSTATUS: what the provider was refused with, such as TOO_LATE; no process is made then. */
  status: number = STATUS.SUCCESS;
  /** An error number that it could not be made for; 0 until it is made, and if it was. */
  errno = 0;
  /** Undefined until it is made. */
  process: KProcess | undefined;
  /** @internal */ linux: LinuxProcess | undefined;
  private ended: number | undefined;

  /** Its id in Linux; 0 until it is made. */
  get pid(): number {
    return this.linux?.pid ?? 0;
  }

  /** What wait4 would tell: its exit code << 8, or the signal that ended it; undefined while it runs. */
  get waitStatus(): number | undefined {
    return this.ended;
  }

  /** @internal */ end(status: number): void {
    this.ended = status;
  }
}

/** What is left of the personality's own objects. */
export interface LinuxCounts {
  readonly threads: number;
  readonly processes: number;
  /** Threads that wait at futexes. */
  readonly futexes: number;
}

const ROOTFS = '\\Users\\user\\AppData\\Local\\Packages\\Linux\\LocalState\\rootfs';

const decoder = new TextDecoder();

export class WslSubsystem {
  /** The driver that registers the provider when the machine runs: at boot, before other processes are made. */
  readonly driver: DriverObject;
  /** @internal */ readonly kernel: WslKernel;
  /** @internal Signaled when the provider is registered, or was refused. */
  readonly registered: KEvent;
  private registration: number = STATUS.PENDING;
  private readonly spawned = new Map<LinuxProcess, LinuxSpawn>();

  constructor(
    readonly machine: Machine,
    private readonly options: WslOptions = {},
  ) {
    const rootfs = options.rootfs ?? ROOTFS;
    const sharedWordBytes = machine.sharedWordCount * 4;
    this.kernel = new WslKernel(machine, { rootfs, sharedWordBytes });
    this.kernel.onReaped = (process) => this.spawned.get(process)?.end(process.exitStatus ?? 0);
    this.registered = machine.createEvent('notification');
    const subsystem = this;
    this.driver = machine.loadDriver({
      name: 'lxcore',
      *DriverEntry() {
        return yield* subsystem.register();
      },
    });
  }

  private *register(): Generator<Request, number, number> {
    const { status, picoRoutines } = yield* PsRegisterPicoProvider(this.kernel.provider);
    if (picoRoutines !== null) this.kernel.routines = picoRoutines;
    this.registration = status;
    yield* KeSetEvent(this.registered, 0, false);
    return status;
  }

  /** Makes a path executable: a generator function, a loaded program, or what makes a CPU core. */
  install(path: string, executable: LinuxExecutable): void {
    if (!path.startsWith('/'))
      throw new MachineError(`install: path is '${path}'; give one that begins with /`);
    this.kernel.executables.set(path, executable);
  }

  /** Makes a process when the machine runs on; the first is init, to which orphans go. */
  spawn(path: string, options: SpawnOptions = {}): LinuxSpawn {
    const executable = this.kernel.executables.get(path);
    if (executable === undefined)
      throw new MachineError(`spawn: '${path}' is not installed; call install first`);
    const spawn = new LinuxSpawn();
    const { machine } = this;
    const subsystem = this;
    const starter: KThread = machine.systemProcess.createThread(
      function* startLinux() {
        yield* KeWaitForSingleObject(
          subsystem.registered,
          KWAIT_REASON.Executive,
          MODE.KernelMode,
          false,
          null,
        );
        yield* subsystem.start(spawn, path, executable, options);
      },
      { name: `start of ${path}` },
    );
    starter.close();
    return spawn;
  }

  private *start(
    spawn: LinuxSpawn,
    path: string,
    executable: LinuxExecutable,
    { argv = [path], envp = [], code }: SpawnOptions,
  ): Generator<Request, void, number> {
    const { kernel } = this;
    spawn.status = this.registration;
    if (spawn.status !== STATUS.SUCCESS) return;
    const image = { path, argv };
    const { body, guest } = startImage(kernel, executable, image, envp);
    const pid = kernel.state.newId();
    const process = new LinuxProcess(pid, undefined, this.console(), 0, image);
    if (code !== undefined) process.code = new Map(code);
    this.spawned.set(process, spawn);
    const prepare = guest instanceof ProgramGuest ? (k: KThread) => guest.attach(k) : undefined;
    const made = yield* makeThread(kernel, { process, body, guest, prepare }, pid);
    if (typeof made === 'number') {
      spawn.errno = made;
      return;
    }
    spawn.linux = process;
    spawn.process = process.kprocess;
    made.kthread?.start();
  }

  private console(): FileTable {
    const { output } = this.options;
    const file = new ConsoleFile((bytes, pid) => output?.(decoder.decode(bytes), pid));
    const open = new OpenFile(file, true, true, 0);
    const files = new FileTable();
    for (let fd = 0; fd < 3; fd++) files.add(open, false);
    return files;
  }

  /** Sends a signal from outside, to a process of Linux by its id; false if there is none. */
  kill(pid: number, signal: number): boolean {
    const process = this.kernel.state.processes.get(pid);
    if (process === undefined || process.zombie) return false;
    sendSignal(process, { signal, code: SI.USER, pid: 0 }, undefined);
    return true;
  }

  /** Its id in Linux of a thread of NT's; undefined: it is none of the subsystem's. */
  linuxIdOf(thread: KThread): number | undefined {
    return (thread.picoContext as LinuxThread | null)?.tid;
  }

  /** How often calls have been made that there are not, or not of that kind, by number. */
  get unknownCalls(): ReadonlyMap<number, number> {
    return this.kernel.unknownCalls;
  }

  get counts(): LinuxCounts {
    return this.kernel.state.counts;
  }
}
