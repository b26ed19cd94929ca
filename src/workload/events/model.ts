/**
 * What a recording of process events tells, whoever recorded it: processes, and what they did in
 * order. Ids are the recording's own; processes are named by their index, for ids are reused.
 */
import type { RecordingWarning } from '../summary';

/** A process of the recording. */
export interface EventProcess {
  readonly index: number;
  readonly id: number;
  /** Names that recorders gave it; Sysmon may give a process two. */
  readonly guids: readonly string[];
  /** Its executable as the recorder writes it; absent: nobody told. */
  readonly image: string | undefined;
  readonly commandLine: string | undefined;
  readonly user: string | undefined;
  readonly session: number | undefined;
  /** Index of its parent; absent: nobody told. */
  readonly parent: number | undefined;
  /** 'before': it was there when the recording began, or its creation was not recorded. */
  readonly birth: 'recorded' | 'before';
  /** 'implied': another process was given its id. 'never': it was alive when the recording ended. */
  readonly exit: 'recorded' | 'implied' | 'never';
  readonly exitStatus: number | undefined;
  /** When it was created, ms since 1970, as its GUID tells; of processes from before. */
  readonly createdMs: number | undefined;
  /** Ids of its threads that events name, in order of their first. */
  readonly threads: readonly number[];
}

interface EventBase {
  /** Since the first event. */
  readonly timeNs: number;
  /** Where it stands in the input, from 1. */
  readonly line: number;
}

/** Where a thread begins. */
export interface StartPlace {
  readonly address: bigint | undefined;
  readonly module: string | undefined;
  readonly function: string | undefined;
}

/** One thing that a process did. Processes are indices, threads are ids. */
export type ProcessEvent = EventBase &
  (
    | {
        readonly kind: 'process-create';
        readonly process: number;
        /** The parent, unless it is not told. */
        readonly creator: number | undefined;
        readonly creatorThread: number | undefined;
      }
    | {
        readonly kind: 'process-exit';
        readonly process: number;
        /** The last of its threads to leave. */
        readonly thread: number | undefined;
      }
    | {
        readonly kind: 'thread-create';
        readonly process: number;
        readonly thread: number;
        readonly creator: number;
        readonly creatorThread: number | undefined;
        /** The thread that came with its process. Another whose creator is another process is remote. */
        readonly initial: boolean;
        readonly start: StartPlace | undefined;
      }
    | {
        readonly kind: 'thread-exit';
        readonly process: number;
        readonly thread: number;
        readonly status: number | undefined;
      }
    | {
        readonly kind: 'image-load';
        readonly process: number;
        readonly thread: number | undefined;
        readonly image: string;
      }
    | { readonly kind: 'driver-load'; readonly image: string }
    | {
        readonly kind: 'process-access';
        /** Who opened it. */
        readonly source: number;
        readonly sourceThread: number | undefined;
        readonly target: number;
        readonly grantedAccess: number;
      }
  );

export type ProcessEventKind = ProcessEvent['kind'];

/** What the recording lacks or says twice, and how often a rule had to help; see resolve.ts. */
export interface EventGaps {
  /** Processes whose creation was not recorded. */
  readonly processesBefore: number;
  /** Recorded creations whose parent is one of these. */
  readonly parentsBefore: number;
  /** Recorded creations that name no parent. */
  readonly parentsUnknown: number;
  /** Recorded creations whose parent had exited. */
  readonly parentsExited: number;
  readonly exitsNeverSeen: number;
  /** Exits that only the reuse of an id tells. */
  readonly exitsImplied: number;
  /** Events of processes that never were alive together. */
  readonly dropped: number;
  /** Events of a process after its exit, put before it. */
  readonly late: number;
  /** Events of a process before its creation; that was put before them. */
  readonly early: number;
  /** Events that a second recorder tells too. */
  readonly duplicates: number;
  /** Processes with more than one GUID. */
  readonly guidAliases: number;
  /** Events whose time is before that of the one in front of them; taken as equal. */
  readonly timesBack: number;
  /** Ids that more than one process had. */
  readonly idsReused: number;
}

/** A recording of process events. */
export interface EventRecording {
  readonly name: string;
  /** The machine it was made on, if it says. */
  readonly host: string | undefined;
  /** Time of the first event as its recorder's clock had it: whole ms since 1970, and what is left, ns. */
  readonly startMs: number;
  readonly startNs: number;
  readonly durationNs: number;
  /** Records read, those that are not used among them. */
  readonly records: number;
  readonly processes: readonly EventProcess[];
  readonly events: readonly ProcessEvent[];
  /** Of `events`, by kind. */
  readonly counts: Readonly<Record<ProcessEventKind, number>>;
  /** Records that are nothing to the process manager, by provider and number. */
  readonly skipped: ReadonlyMap<string, number>;
  /** Records of other machines, by machine. */
  readonly otherHosts: ReadonlyMap<string, number>;
  readonly gaps: EventGaps;
  readonly warnings: readonly RecordingWarning[];
}

/** How many events there are of each kind. */
export function countEvents(events: readonly ProcessEvent[]): Record<ProcessEventKind, number> {
  const counts = {
    'process-create': 0,
    'process-exit': 0,
    'thread-create': 0,
    'thread-exit': 0,
    'image-load': 0,
    'driver-load': 0,
    'process-access': 0,
  };
  for (const { kind } of events) counts[kind]++;
  return counts;
}
