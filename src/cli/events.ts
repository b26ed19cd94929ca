import { writeFileSync } from 'node:fs';
import {
  analyzeBugCheck,
  type DriverObject,
  type EventRecording,
  type EventReplayReport,
  type RunResult,
  replayEvents,
  STATUS,
  writeEvents,
} from '../index';
import { importDriver, LoadedDrivers } from './driver-file';
import { readEventFile } from './events-input';
import { Progress } from './progress';
import { milliseconds } from './report';

export interface EventsFlags {
  readonly events: string;
  readonly driver?: readonly string[];
  readonly host?: string;
  readonly processors?: number;
  readonly profile: 'client' | 'server';
  readonly export?: string;
  readonly top: number;
  readonly json?: boolean;
}

const hex = (status: number): string => `0x${(status >>> 0).toString(16).padStart(8, '0')}`;

/** Pairs of a name and a count that is not 0, in words. */
function counted(counts: Iterable<readonly [string, number]>): string {
  const words = [...counts].filter(([, count]) => count > 0).map(([name, n]) => `${n} ${name}`);
  return words.length === 0 ? 'none' : words.join(', ');
}

function recordingLines(recording: EventRecording): string[] {
  const { name, host, records, durationNs, processes, counts, gaps, skipped } = recording;
  return [
    `${name}: ${records} records${host === undefined ? '' : ` of ${host}`}, ${milliseconds(durationNs)} ms, ${processes.length} processes`,
    `events: ${counted(Object.entries(counts))}`,
    `not used: ${counted(skipped)}`,
    ...(recording.otherHosts.size === 0
      ? []
      : [`of other machines: ${counted(recording.otherHosts)}; choose with --host`]),
    `gaps: ${counted(Object.entries(gaps))}`,
    ...recording.warnings.map(
      ({ kind, count, firstLine, firstColumn, text }) =>
        `warning: ${kind}, ${count} times, first at ${name}:${firstLine}:${firstColumn}: ${text}`,
    ),
  ];
}

export function bugCheckLines(result: RunResult | undefined): string[] {
  if (result?.reason !== 'bugcheck') return [];
  return [analyzeBugCheck(result)];
}

/** What has become of a driver. */
export function driverLine({ name, status, state }: DriverObject): string {
  if (state === 'loading') return `driver ${name}: DriverEntry did not come to its end`;
  return `driver ${name}: DriverEntry returned ${hex(status)}; at the end it is ${state}`;
}

function replayLines(
  report: EventReplayReport,
  drivers: readonly DriverObject[],
  unloading: RunResult | undefined,
  top: number,
): string[] {
  const { comparison, notDone, actions, lagMaxNs, result } = report;
  const { paired, equal, differences, unrecorded } = comparison;
  const some = <T>(all: readonly T[], line: (each: T) => string): string[] => [
    ...all.slice(0, top).map(line),
    ...(all.length > top ? [`and ${all.length - top} more`] : []),
  ];
  return [
    ...drivers.map(driverLine),
    ...(result.reason === 'bugcheck'
      ? [`stopped by bugcheck ${result.name} at ${milliseconds(result.now)} ms`]
      : []),
    `replayed: ${actions - notDone.length} of ${actions} actions, at most ${milliseconds(lagMaxNs)} ms late`,
    ...some(notDone, ({ line, action, why }) => `not done: line ${line}, ${action}: ${why}`),
    `callbacks told of ${paired} recorded events, ${equal} of them in order and in detail; beyond the recording of ${counted(unrecorded)}`,
    `differences: ${differences.length}`,
    ...some(differences, ({ line, difference, text }) =>
      line === undefined ? `${difference}: ${text}` : `line ${line}, ${difference}: ${text}`,
    ),
    ...bugCheckLines(result.reason === 'bugcheck' ? result : unloading),
    `digest ${report.digest}`,
  ];
}

function asJson(
  recording: EventRecording,
  report: EventReplayReport,
  drivers: readonly DriverObject[],
  unloading: RunResult | undefined,
): string {
  const { events: _, skipped, otherHosts, ...rest } = recording;
  const { observed: __, comparison, ...replay } = report;
  const whole = {
    recording: {
      ...rest,
      skipped: Object.fromEntries(skipped),
      otherHosts: Object.fromEntries(otherHosts),
    },
    drivers: drivers.map(({ name, status, state }) => ({ name, status, state })),
    unloading: unloading?.reason === 'bugcheck' ? unloading : null,
    replay: {
      ...replay,
      comparison: { ...comparison, unrecorded: Object.fromEntries(comparison.unrecorded) },
    },
  };
  const plain = (_key: string, value: unknown) =>
    typeof value === 'bigint'
      ? `0x${value.toString(16)}`
      : value instanceof Error
        ? value.message
        : value;
  return JSON.stringify(whole, plain, 2);
}

/** `ntps run --events`: replays process events under the drivers that are given. */
export async function runEvents(flags: EventsFlags): Promise<void> {
  const loaded = new LoadedDrivers(await Promise.all((flags.driver ?? []).map(importDriver)));
  const { profile, processors } = flags;
  const recording = await readEventFile(flags.events, flags.host);
  const replaying = new Progress('replaying', recording.events.length);
  const report = await replayEvents(recording, {
    profile,
    ...(processors === undefined ? {} : { processors }),
    onStart: (machine) => loaded.load(machine),
    onProgress: (done) => replaying.update(done),
  }).finally(() => replaying.stop());
  if (flags.export !== undefined)
    writeFileSync(flags.export, [...writeEvents(report.observed)].join(''));
  const stopped = report.result.reason === 'bugcheck';
  const unloading = stopped ? undefined : loaded.unload();
  const { drivers } = loaded;
  if (flags.json === true) console.log(asJson(recording, report, drivers, unloading));
  else {
    const replay = replayLines(report, drivers, unloading, flags.top);
    console.log([...recordingLines(recording), ...replay].join('\n'));
  }
  const failed = drivers.some(({ status }) => (status | 0) < 0 || status === STATUS.PENDING);
  if (failed || stopped || unloading?.reason === 'bugcheck') process.exitCode = 1;
}
