import Table from 'cli-table3';
import type {
  ProcessorReport,
  RecordingReplay,
  RecordingSummary,
  ReplayReport,
  RunReport,
  ScheduleReport,
  WorkloadReport,
} from '../index';

export const milliseconds = (ns: number) => (ns / 1e6).toFixed(3);
const micros = (ns: number) => (ns / 1e3).toFixed(1);
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

export const FIGURES_HEAD = [
  'run ms',
  'ready us p50',
  'p90',
  'p99',
  'max',
  'switches\nvoluntary',
  'not',
  'migrations',
];

export function figures({ runNs, ready, ...counts }: ScheduleReport): (string | number)[] {
  return [
    milliseconds(runNs),
    micros(ready.p50Ns),
    micros(ready.p90Ns),
    micros(ready.p99Ns),
    micros(ready.maxNs),
    counts.voluntarySwitches,
    counts.involuntarySwitches,
    counts.migrations,
  ];
}

export function boosts({ boosts, starvationBoosts }: RunReport): string {
  return starvationBoosts === 0 ? `${boosts}` : `${boosts} + ${starvationBoosts} starved`;
}

const utilisation = (processors: readonly ProcessorReport[]) =>
  processors.map((processor) => percent(processor.utilisation)).join(' ');

/** Numbers to the right; the first `left` columns are text. */
export function table(head: string[], left: number): InstanceType<typeof Table> {
  const colAligns = head.map((_, column) => (column < left ? 'left' : 'right') as 'left' | 'right');
  const chars = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };
  return new Table({ head, colAligns, chars, style: { head: [], border: [] } });
}

/** What the provider of the subsystem was told. */
function subsystemLines({ policy, subsystem }: ReplayReport): string[] {
  if (subsystem === undefined) return [];
  const { forks, threads, execs, exits, found, notRecorded, callNs } = subsystem;
  const { refused, cutShort, execsLeftOut } = subsystem;
  const lines = [
    `${policy}, as processes of ${subsystem.subsystem}: ${forks} forks, ${threads} new threads, ${execs} execs and ${exits} ends of threads told; ${found} threads were there before; ${milliseconds(callNs)} ms in calls and callbacks, beside what they ran`,
  ];
  if (notRecorded.length > 0)
    lines.push(`${policy}: the recording has no ${notRecorded.join(', no ')}`);
  if (execsLeftOut > 0)
    lines.push(`${policy}: ${execsLeftOut} execs of processes with several threads are left out`);
  if (refused > 0) lines.push(`${policy}: ${refused} processes were refused`);
  if (cutShort > 0)
    lines.push(
      `${policy}: ${cutShort} threads ended early or never were; interrupts wake whom they would have`,
    );
  return lines;
}

/** A row for each policy, below `first`. */
export function overallTable(
  reports: readonly (ReplayReport | WorkloadReport)[],
  first: readonly (string | number)[] = [],
): string {
  const rows = table(['policy', 'end ms', ...FIGURES_HEAD, 'boosts', 'utilisation'], 1);
  if (first.length > 0) rows.push([...first]);
  for (const report of reports) {
    rows.push([
      report.policy,
      milliseconds(report.endNs),
      ...figures(report.overall),
      boosts(report.overall),
      utilisation(report.processors),
    ]);
  }
  return rows.toString();
}

/** The row of the recording's own figures. */
function recordedRow(
  recorded: ScheduleReport,
  { cpuFigures, durationNs }: RecordingSummary,
): (string | number)[] {
  const shares = cpuFigures.map(({ busyNs }) => percent(busyNs / durationNs));
  return ['recorded', milliseconds(durationNs), ...figures(recorded), '', shares.join(' ')];
}

interface Named {
  readonly title: readonly string[];
  readonly recorded: ScheduleReport;
  readonly replayed: RunReport;
}

/** Two rows each: as recorded, and as replayed. */
function busiestTable(head: string[], policy: string, busiest: readonly Named[]): string {
  const rows = table([...head, '', ...FIGURES_HEAD, 'boosts'], head.length + 1);
  for (const { title, recorded, replayed } of busiest) {
    rows.push([...title, 'recorded', ...figures(recorded), '']);
    rows.push([...title.map(() => ''), policy, ...figures(replayed), boosts(replayed)]);
  }
  return rows.toString();
}

function leftovers(report: ReplayReport): string[] {
  const lines = [];
  if (report.waiting > 0)
    lines.push(
      `${report.policy}: ${report.waiting} threads still wait at the end, as the recording left them`,
    );
  if (report.notConserved > 0)
    lines.push(
      `${report.policy}: the run time of ${report.notConserved} threads is not what was recorded: a defect of ntps`,
    );
  return lines;
}

/** What could not be attributed, and how much of it there is. */
function recordingLines({ recording }: RecordingReplay): string[] {
  const { attribution, warnings } = recording;
  const wakes = attribution.byThread + attribution.byInterrupt + attribution.unattributed;
  const share = (count: number) => `${count} (${percent(count / Math.max(1, wakes))})`;
  return [
    `${recording.name}: ${recording.lines} lines, ${milliseconds(recording.durationNs)} ms on ${recording.cpus} processors, ${recording.processes.length} processes, ${recording.threads.length} threads`,
    `wakes: ${share(attribution.byThread)} by threads, of which ${attribution.contextUnknown} may be interrupts'; ${share(attribution.byInterrupt)} by interrupts; ${share(attribution.unattributed)} seen only by their effect; ${attribution.redundant} redundant`,
    ...(attribution.guessedProcesses > 0
      ? [`${attribution.guessedProcesses} threads whose process is not told are taken as processes`]
      : []),
    ...warnings.map(
      ({ kind, count, firstLine, firstColumn, text }) =>
        `warning: ${kind}, ${count} times, first at ${recording.name}:${firstLine}:${firstColumn}: ${text}`,
    ),
  ];
}

/** A replay for people. */
export function printReplay(recorded: ScheduleReport, replay: RecordingReplay): void {
  for (const line of recordingLines(replay)) console.log(line);
  console.log(overallTable(replay.reports, recordedRow(recorded, replay.recording)));
  const [first] = replay.reports;
  if (first === undefined) return;
  const { processes, threads, policy } = first;
  const { recording } = replay;
  console.log(
    `the ${processes.length} busiest of ${recording.processes.length} processes, recorded and ${policy}:`,
  );
  const processRows = processes.map(({ name, tgid, threads: count, ...both }) => {
    return { title: [name, `${tgid}`, `${count}`], ...both };
  });
  console.log(busiestTable(['process', 'id', 'threads'], policy, processRows));
  console.log(`the ${threads.length} busiest of ${recording.threads.length} threads:`);
  const threadRows = threads.map(({ name, tid, process, ...both }) => {
    return { title: [name, `${tid}`, process], ...both };
  });
  console.log(busiestTable(['thread', 'id', 'process'], policy, threadRows));
  const lines = (report: ReplayReport) => [...subsystemLines(report), ...leftovers(report)];
  for (const report of replay.reports) for (const line of lines(report)) console.log(line);
  for (const report of replay.reports) console.log(`digest ${report.policy} ${report.digest}`);
}

/** The same for programs. */
export function replayJson(
  recorded: ScheduleReport,
  { recording, reports }: RecordingReplay,
): string {
  const { threads, processes, events, ignoredEvents, ...summary } = recording;
  const whole = {
    recording: {
      ...summary,
      processes: processes.length,
      threads: threads.length,
      events: Object.fromEntries(events),
      ignoredEvents: Object.fromEntries(ignoredEvents),
      overall: recorded,
    },
    reports,
  };
  return JSON.stringify(whole, null, 2);
}
