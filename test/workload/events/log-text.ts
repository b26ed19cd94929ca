import { EventReader } from '../../../src/workload/events/read';
import type { EventRecording } from '../../../src/workload/events/model';

/** Records as Sysmon and the Security log have them, one a line. Times are seconds of one minute. */
type Json = Readonly<Record<string, unknown>>;

const line = (source: string, channel: string, EventID: number, at: number, data: Json): string => {
  const TimeCreated = `2024-05-01T10:00:${at.toFixed(3).padStart(6, '0')}Z`;
  const head = { SourceName: source, Channel: channel, Hostname: 'HOST', TimeCreated, EventID };
  return `${JSON.stringify({ ...head, ...data })}\n`;
};

export const sysmon = (event: number, at: number, data: Json): string =>
  line('Microsoft-Windows-Sysmon', 'Microsoft-Windows-Sysmon/Operational', event, at, data);

export const security = (event: number, at: number, data: Json): string =>
  line('Microsoft-Windows-Security-Auditing', 'Security', event, at, data);

/** A GUID of a process that began `second` seconds after some time. */
export const guid = (second: number, serial: number): string =>
  `{11111111-${second.toString(16).padStart(4, '0')}-6632-${serial.toString(16).padStart(4, '0')}-000000000300}`;

const path = (image: string): string => `C:\\Windows\\${image}`;

export const create = (
  at: number,
  id: number,
  image: string,
  parent: number,
  more: Json = {},
): string =>
  sysmon(1, at, {
    ProcessId: `${id}`,
    Image: path(image),
    ParentProcessId: `${parent}`,
    ParentImage: path('parent.exe'),
    ...more,
  });

export const exit = (at: number, id: number, more: Json = {}): string =>
  sysmon(5, at, { ProcessId: `${id}`, ...more });

export const load = (at: number, id: number, image: string, more: Json = {}): string =>
  sysmon(7, at, { ProcessId: `${id}`, ImageLoaded: path(image), ...more });

export const access = (at: number, source: number, target: number, more: Json = {}): string =>
  sysmon(10, at, {
    SourceProcessId: `${source}`,
    SourceThreadId: `${source + 1}`,
    TargetProcessId: `${target}`,
    GrantedAccess: '0x1410',
    ...more,
  });

export function read(...lines: readonly string[]): EventRecording {
  return readBytes(new TextEncoder().encode(lines.join('')));
}

export function readBytes(bytes: Uint8Array, chunkBytes = bytes.length): EventRecording {
  const reader = new EventReader({ name: 'log' });
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    reader.push(bytes.subarray(at, at + chunkBytes));
  }
  return reader.end();
}

/** The events in short, processes by their ids. */
export function history({ processes, events }: EventRecording): string[] {
  const id = (index: number | undefined) =>
    index === undefined ? '?' : `${processes[index]?.id}#${index}`;
  return events.map((event) => {
    const at = `${event.timeNs / 1e9}`;
    switch (event.kind) {
      case 'process-create':
        return `${at} ${id(event.creator)} creates ${id(event.process)}`;
      case 'process-exit':
        return `${at} ${id(event.process)} exits`;
      case 'thread-create':
        return `${at} ${id(event.creator)} starts ${event.thread} in ${id(event.process)}`;
      case 'thread-exit':
        return `${at} ${event.thread} of ${id(event.process)} ends`;
      case 'image-load':
        return `${at} ${id(event.process)} loads ${event.image}`;
      case 'driver-load':
        return `${at} driver ${event.image}`;
      default:
        return `${at} ${id(event.source)} opens ${id(event.target)} 0x${event.grantedAccess.toString(16)}`;
    }
  });
}
