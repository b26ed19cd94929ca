/**
 * Notes what drivers are told of processes, threads, images and handles, as a recording: by the
 * routines that any driver registers.
 */
import { STATUS } from '../../../assembly/shared/status';
import { MachineError } from '../../machine/errors';
import { currentGuest, type Request } from '../../machine/guest';
import type { Machine } from '../../machine/machine';
import { KProcess, type KThread } from '../../machine/views';
import { OB_FLT_REGISTRATION_VERSION, OB_OPERATION, ObRegisterCallbacks } from '../../ob/callbacks';
import { PsProcessType } from '../../ob/types';
import { processIdOf, rowOfProcessId, rowOfThreadId, threadIdOf } from '../../ps/cid';
import { executiveOf, processExitStatus } from '../../ps/executive';
import { processManager } from '../../ps/manager';
import type { LoadImageNotifyRoutine } from '../../ps/image-notify';
import type { CreateProcessNotifyRoutineEx, PsCreateNotifyInfo } from '../../ps/process-notify';
import type { CreateThreadNotifyRoutine } from '../../ps/thread-notify';
import {
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateThreadNotifyRoutine,
  PsSetLoadImageNotifyRoutine,
} from '../../ps/register';
import type { Mutable } from './draft';
import { countEvents, type EventProcess, type EventRecording, type ProcessEvent } from './model';

/** Below those of all others: it is told last before, and first after, a handle is made. */
const ALTITUDE = '1';
/** From 1601, where Windows counts from, to 1970, ms. */
const UNIX_EPOCH_MS = 11_644_473_600_000;

/** `\??\C:\x` and `\Device\HarddiskVolume3\x` as `C:\x`: volume 3 is C, as in the machine's images. */
function drivePath(path: string): string {
  const volume = /^\\Device\\HarddiskVolume(\d+)(?=\\)/.exec(path);
  if (volume === null) return path.replace(/^\\\?\?\\/, '');
  const letter = String.fromCharCode('C'.charCodeAt(0) + Number(volume[1]) - 3);
  return `${letter}:${path.slice(volume[0].length)}`;
}

interface SeenProcess extends Mutable<EventProcess> {
  /** Of all processes since boot. */
  readonly sequence: number;
  hasThread: boolean;
  readonly threadIds: Set<number>;
}

type Untimed<T> = T extends unknown ? Omit<T, 'timeNs' | 'line'> : never;

export class EventSensor {
  readonly #events: ProcessEvent[] = [];
  #listening = false;
  /** The thread that has registered its routines: what becomes of that is nobody's. */
  #own: KThread | undefined;
  readonly #processes: SeenProcess[] = [];
  readonly #bySequence = new Map<number, SeenProcess>();
  /** Called after an event has been noted. */
  onEvent: ((event: ProcessEvent) => void) | undefined;
  #startNs: number | undefined;

  constructor(private readonly machine: Machine) {}

  /** Registers its routines; in a thread of the system. */
  *attach(): Generator<Request, void, number> {
    this.#own = currentGuest('attach').thread;
    const sensorProcess: CreateProcessNotifyRoutineEx = (process, _, info) =>
      this.#processNotify(process, info);
    const sensorThread: CreateThreadNotifyRoutine = (process, thread, create) =>
      this.#threadNotify(process, thread, create);
    const sensorImage: LoadImageNotifyRoutine = (name, process) => this.#imageNotify(name, process);
    const statuses = [
      yield* PsSetCreateProcessNotifyRoutineEx(sensorProcess, false),
      yield* PsSetCreateThreadNotifyRoutine(sensorThread),
      yield* PsSetLoadImageNotifyRoutine(sensorImage),
    ];
    const registered = yield* ObRegisterCallbacks({
      Version: OB_FLT_REGISTRATION_VERSION,
      Altitude: ALTITUDE,
      RegistrationContext: null,
      OperationRegistration: [
        {
          ObjectType: PsProcessType,
          Operations: OB_OPERATION.HANDLE_CREATE,
          PreOperation: null,
          PostOperation: (_, { Object: target, KernelHandle, ReturnStatus, Parameters }) => {
            if (KernelHandle || ReturnStatus !== STATUS.SUCCESS || !(target instanceof KProcess))
              return;
            this.#access(target, Parameters.GrantedAccess);
          },
        },
      ],
    });
    const failed = [...statuses, registered.status].find((status) => status !== STATUS.SUCCESS);
    if (failed !== undefined)
      throw new MachineError(`the sensor was refused with 0x${failed.toString(16)}`);
  }

  /** From now on it notes what it is told. */
  begin(): void {
    this.#listening = true;
  }

  /** The number of a process among all since boot, by its index in the recording. */
  sequenceOf(index: number): number | undefined {
    return this.#processes[index]?.sequence;
  }

  /** All that was noted, as a recording. */
  recording(name: string): EventRecording {
    const { startMs, startNs } = this.#start();
    return {
      name,
      host: 'ntps',
      startMs,
      startNs,
      durationNs: this.#events.at(-1)?.timeNs ?? 0,
      records: this.#events.length,
      processes: this.#processes.map(({ sequence: _, hasThread: __, threadIds, ...process }) => ({
        ...process,
        threads: [...threadIds],
      })),
      events: this.#events,
      counts: countEvents(this.#events),
      skipped: new Map(),
      otherHosts: new Map(),
      gaps: this.#gaps(),
      warnings: [],
    };
  }

  #start(): { startMs: number; startNs: number } {
    const time100ns = this.machine.clock.systemTimeAt100ns(this.#startNs ?? 0);
    const ms = Number(time100ns / 10_000n) - UNIX_EPOCH_MS;
    return { startMs: ms, startNs: Number(time100ns % 10_000n) * 100 };
  }

  #gaps(): EventRecording['gaps'] {
    const of = (test: (process: SeenProcess) => boolean) => this.#processes.filter(test).length;
    const before = (index: number | undefined) =>
      index !== undefined && this.#processes[index]?.birth === 'before';
    return {
      processesBefore: of(({ birth }) => birth === 'before'),
      parentsBefore: of(({ birth, parent }) => birth === 'recorded' && before(parent)),
      parentsUnknown: of(({ birth, parent }) => birth === 'recorded' && parent === undefined),
      exitsNeverSeen: of(({ exit }) => exit === 'never'),
      ...{ parentsExited: 0, exitsImplied: 0, dropped: 0, late: 0, early: 0 },
      ...{ duplicates: 0, guidAliases: 0, timesBack: 0, idsReused: 0 },
    };
  }

  #note(what: Untimed<ProcessEvent>): void {
    const { now } = this.machine;
    this.#startNs ??= now;
    const place = { timeNs: now - this.#startNs, line: this.#events.length + 1 };
    const event = { ...what, ...place } as ProcessEvent;
    this.#events.push(event);
    this.onEvent?.(event);
  }

  #seen(process: KProcess, birth: EventProcess['birth'] = 'before'): SeenProcess {
    const sequence = process.sequenceNumber;
    const known = this.#bySequence.get(sequence);
    if (known !== undefined) return known;
    const { imageFileName } = executiveOf(processManager(this.machine), process);
    const seen: SeenProcess = {
      index: this.#processes.length,
      id: processIdOf(process),
      guids: [this.#guidOf(process, sequence)],
      image: drivePath(imageFileName ?? process.name),
      ...{ commandLine: undefined, user: undefined, session: undefined, parent: undefined },
      birth,
      exit: 'never',
      exitStatus: undefined,
      createdMs: birth === 'before' ? this.#createdSecond(process) * 1000 : undefined,
      threads: [],
      ...{ sequence, hasThread: false, threadIds: new Set<number>() },
    };
    this.#processes.push(seen);
    this.#bySequence.set(sequence, seen);
    return seen;
  }

  #createdSecond(process: KProcess): number {
    return Math.floor((Number(process.createTime100ns / 10_000n) - UNIX_EPOCH_MS) / 1000);
  }

  /** As Sysmon makes them: the second of its creation, and which process of all it is. */
  #guidOf(process: KProcess, sequence: number): string {
    const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
    const second = hex(this.#createdSecond(process) >>> 0, 8);
    return `00000000-${second.slice(4)}-${second.slice(0, 4)}-0000-${hex(sequence, 12)}`;
  }

  #current(): { process: SeenProcess; thread: number } {
    const { thread } = currentGuest('a notify routine');
    return this.#client(thread);
  }

  #client(thread: KThread): { process: SeenProcess; thread: number } {
    const process = this.#seen(thread.process);
    const id = threadIdOf(thread);
    process.threadIds.add(id);
    return { process, thread: id };
  }

  #processNotify(process: KProcess, info: PsCreateNotifyInfo | null): void {
    if (!this.#listening) return;
    if (info === null) {
      const { thread } = this.#current();
      const seen = this.#seen(process);
      seen.exit = 'recorded';
      seen.exitStatus = processExitStatus(process);
      this.#note({ kind: 'process-exit', process: seen.index, thread });
      return;
    }
    const creator = this.#current();
    const parent = this.machine.process(rowOfProcessId(info.ParentProcessId));
    const parentSeen = parent === undefined ? undefined : this.#seen(parent);
    const seen = this.#seen(process, 'recorded');
    seen.parent = parentSeen?.index;
    if (info.ImageFileName !== null) seen.image = drivePath(info.ImageFileName);
    seen.commandLine = info.CommandLine ?? undefined;
    const by = { creator: creator.process.index, creatorThread: creator.thread };
    this.#note({ kind: 'process-create', process: seen.index, ...by });
  }

  #threadNotify(processId: number, thread: number, create: boolean): void {
    if (!this.#listening || currentGuest('a notify routine').thread === this.#own) return;
    const process = this.machine.process(rowOfProcessId(processId));
    if (process === undefined) return;
    const seen = this.#seen(process);
    seen.threadIds.add(thread);
    if (!create) {
      const status = this.machine.thread(rowOfThreadId(thread))?.exitStatus;
      this.#note({ kind: 'thread-exit', process: seen.index, thread, status });
      return;
    }
    const creator = this.#current();
    const initial = seen.birth === 'recorded' && !seen.hasThread;
    seen.hasThread = true;
    const by = { creator: creator.process.index, creatorThread: creator.thread };
    const start = undefined;
    this.#note({ kind: 'thread-create', process: seen.index, thread, ...by, initial, start });
  }

  #imageNotify(name: string | null, processId: number): void {
    if (!this.#listening) return;
    const image = drivePath(name ?? '');
    if (processId === 0) {
      this.#note({ kind: 'driver-load', image });
      return;
    }
    const process = this.machine.process(rowOfProcessId(processId));
    if (process === undefined) return;
    const { thread } = this.#current();
    this.#note({ kind: 'image-load', process: this.#seen(process).index, thread, image });
  }

  #access(target: KProcess, grantedAccess: number): void {
    if (!this.#listening) return;
    const { process: source, thread: sourceThread } = this.#current();
    const of = { source: source.index, sourceThread, target: this.#seen(target).index };
    this.#note({ kind: 'process-access', ...of, grantedAccess });
  }
}
