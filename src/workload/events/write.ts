/** Recordings written as ntps's own events: JSON lines in Sysmon's words, which `readEvents` reads. */
import type { EventProcess, EventRecording, ProcessEvent } from './model';

const CHANNEL = 'ntps/Processes';

/** 2024-05-01T10:00:00.1234567Z; `ns` is what a ms has not. */
function timeText(ms: number, ns: number): string {
  const whole = new Date(ms).toISOString().slice(0, -1);
  return ns === 0 ? `${whole}Z` : `${whole}${`${ns}`.padStart(6, '0').replace(/0+$/, '')}Z`;
}

const braced = (guid: string | undefined): string | undefined =>
  guid === undefined ? undefined : `{${guid}}`;

const hex = (value: number | undefined): string | undefined =>
  value === undefined ? undefined : `0x${value.toString(16)}`;

type Fields = Readonly<Record<string, string | number | undefined>>;

function subject({ id, guids, image }: EventProcess, prefix = '', guid = 'Guid'): Fields {
  return {
    [`${prefix}Process${guid}`]: braced(guids[0]),
    [`${prefix}ProcessId`]: id,
    [`${prefix}Image`]: image,
  };
}

class Writer {
  constructor(private readonly recording: EventRecording) {}

  line(event: ProcessEvent): string {
    const { startMs, startNs, host } = this.recording;
    const ns = startNs + event.timeNs;
    const [name, data] = this.#dataOf(event);
    const head = { SourceName: 'ntps', Channel: CHANNEL, Hostname: host };
    const TimeCreated = timeText(startMs + Math.floor(ns / 1e6), ns % 1e6);
    return `${JSON.stringify({ ...head, TimeCreated, EventID: name, ...data })}\n`;
  }

  #process(index: number): EventProcess {
    return this.recording.processes[index] as EventProcess;
  }

  #dataOf(event: ProcessEvent): [name: string, data: Fields] {
    switch (event.kind) {
      case 'process-create':
        return ['ProcessCreate', this.#creation(event)];
      case 'process-exit': {
        const process = this.#process(event.process);
        const status = hex(process.exitStatus);
        return [
          'ProcessTerminate',
          { ...subject(process), ThreadId: event.thread, ExitStatus: status },
        ];
      }
      case 'thread-create':
        return [
          'ThreadCreate',
          {
            ...subject(this.#process(event.creator), 'Source'),
            SourceThreadId: event.creatorThread,
            ...subject(this.#process(event.process), 'Target'),
            NewThreadId: event.thread,
            StartAddress:
              event.start?.address === undefined
                ? undefined
                : `0x${event.start.address.toString(16)}`,
            StartModule: event.start?.module,
            StartFunction: event.start?.function,
          },
        ];
      case 'thread-exit':
        return [
          'ThreadTerminate',
          {
            ...subject(this.#process(event.process)),
            ThreadId: event.thread,
            ExitStatus: hex(event.status),
          },
        ];
      case 'image-load':
        return [
          'ImageLoad',
          {
            ...subject(this.#process(event.process)),
            ThreadId: event.thread,
            ImageLoaded: event.image,
          },
        ];
      case 'driver-load':
        return ['DriverLoad', { ImageLoaded: event.image }];
      case 'process-access':
        return [
          'ProcessAccess',
          {
            ...subject(this.#process(event.source), 'Source', 'GUID'),
            SourceThreadId: event.sourceThread,
            ...subject(this.#process(event.target), 'Target', 'GUID'),
            GrantedAccess: hex(event.grantedAccess),
          },
        ];
    }
  }

  #creation(event: ProcessEvent & { kind: 'process-create' }): Fields {
    const process = this.#process(event.process);
    const { commandLine, user, session, parent } = process;
    return {
      ...subject(process),
      CommandLine: commandLine,
      User: user,
      TerminalSessionId: session,
      ...(parent === undefined ? {} : subject(this.#process(parent), 'Parent')),
      ParentThreadId: event.creatorThread,
    };
  }
}

/** A recording as JSON lines, line by line. What comes back from reading them is the same recording. */
export function* writeEvents(recording: EventRecording): Generator<string> {
  const writer = new Writer(recording);
  for (const event of recording.events) yield writer.line(event);
}
