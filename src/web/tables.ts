import {
  type ProcessorReport,
  type RecordingReplay,
  type RunReport,
  recordedFigures,
  type ScheduleReport,
} from '../index';
import { type Columns, chip, element, row, tableHead } from './elements';
import { duration } from './span';
import type { Cast, Numbers, ShownThread } from './threads';

export const POLICY_NAMES = { nt: 'NT', fifo: 'FIFO', rr: 'round-robin' } as const;

const THREADS_MAX = 200;

const percent = (share: number) => `${(share * 100).toFixed(0)} %`;
const shareOf = (processors: readonly ProcessorReport[]) =>
  processors.reduce((sum, { utilisation }) => sum + utilisation, 0) / processors.length;

function figures({ runNs, ready, ...counts }: ScheduleReport): (string | number)[] {
  return [
    duration(runNs),
    duration(ready.p50Ns),
    duration(ready.p90Ns),
    duration(ready.p99Ns),
    duration(ready.maxNs),
    counts.voluntarySwitches,
    counts.involuntarySwitches,
    counts.migrations,
  ];
}

const boostsOf = ({ boosts, starvationBoosts }: RunReport) =>
  starvationBoosts === 0 ? `${boosts}` : `${boosts} + ${starvationBoosts} starved`;

/** The recording beside each policy. */
export function fillOverall(
  table: HTMLTableElement,
  { recording, reports }: RecordingReplay,
  shown: number,
): void {
  const groups: Columns = [
    ['', ['Schedule', 'End', 'Run time']],
    ['Ready before it ran', ['median', '90 %', '99 %', 'longest']],
    ['Switches', ['to wait', 'preempted']],
    ['', ['Migrations', 'Boosts', 'In use']],
  ];
  const busyNs = recording.cpuFigures.reduce((sum, cpu) => sum + cpu.busyNs, 0);
  const body = element('tbody', {});
  body.append(
    row(
      ['recorded on Linux'],
      [
        duration(recording.durationNs, 4),
        ...figures(recordedFigures(recording)),
        '',
        percent(busyNs / recording.durationNs / recording.cpus),
      ],
    ),
  );
  reports.forEach((report, index) => {
    const line = row(
      [POLICY_NAMES[report.policy]],
      [
        duration(report.endNs, 4),
        ...figures(report.overall),
        boostsOf(report.overall),
        percent(shareOf(report.processors)),
      ],
    );
    if (index === shown) line.ariaCurrent = 'true';
    body.append(line);
  });
  table.replaceChildren(tableHead(groups, 1), body);
}

/** What is to be known of the recording and of its replay. */
export function notesOf({ recording, reports }: RecordingReplay): string[] {
  const { attribution, warnings } = recording;
  const wakes = attribution.byThread + attribution.byInterrupt + attribution.unattributed;
  const share = (count: number) => `${count} (${percent(count / Math.max(1, wakes))})`;
  const notes = [
    `Wake-ups: ${share(attribution.byThread)} by threads, ${share(attribution.byInterrupt)} by interrupts, ${share(attribution.unattributed)} seen only by their effect; ${attribution.redundant} redundant.`,
  ];
  for (const { kind, count, firstLine, firstColumn, text } of warnings) {
    notes.push(`Warning: ${kind}, ${count} times, first at ${firstLine}:${firstColumn}: ${text}`);
  }
  for (const { policy, waiting, notConserved, digest } of reports) {
    const conserved =
      notConserved === 0
        ? 'the run time of each thread is that of the recording to the nanosecond'
        : `the run time of ${notConserved} threads is not that of the recording: a defect of ntps`;
    notes.push(
      `${POLICY_NAMES[policy]}: ${conserved}; ${waiting} threads wait at the end; digest ${digest}.`,
    );
  }
  return notes;
}

function quantiles(tally: ShownThread['recorded'] | undefined): string[] {
  if (tally === undefined) return ['–', '–', '–'];
  return [0.5, 0.99, 1].map((q) =>
    duration(q === 1 ? tally.ready.max : tally.ready.quantile(q), 2),
  );
}

/** The threads that ran longest, of those whose name or id has `filter` in it. Returns how many. */
export function fillThreads(
  table: HTMLTableElement,
  cast: Cast,
  numbers: Numbers,
  policy: keyof typeof POLICY_NAMES,
  filter: string,
  choice: { readonly chosen: unknown; pick(thread: ShownThread): void },
): number {
  const fits = ({ name, tid, process }: ShownThread) =>
    [name, `${tid}`, process.name].some((text) => text.includes(filter));
  const all = cast.threads.filter(fits).sort((a, b) => b.recorded.runNs - a.recorded.runNs);
  const name = POLICY_NAMES[policy];
  const groups: Columns = [
    ['', ['Thread', 'Id', 'Process', 'Run time']],
    ['Ready, recorded', ['median', '99 %', 'longest']],
    [`Ready, ${name}`, ['median', '99 %', 'longest']],
    ['Recorded', ['switches', 'migrations']],
    [name, ['switches', 'migrations', 'boosts']],
  ];
  const body = element('tbody', {});
  for (const thread of all.slice(0, THREADS_MAX)) {
    const { recorded } = thread;
    const tally = numbers.tally(thread);
    const switches = (each: ShownThread['recorded']) =>
      each.voluntarySwitches + each.involuntarySwitches;
    const pick = element('button', { type: 'button' }, thread.name);
    pick.addEventListener('click', () => choice.pick(thread));
    const line = row(
      [chip(thread.process.colour), pick],
      [
        thread.tid,
        thread.process.name,
        duration(recorded.runNs),
        ...quantiles(recorded),
        ...quantiles(tally),
        switches(recorded),
        recorded.migrations,
        ...(tally === undefined
          ? ['–', '–', '–']
          : [switches(tally), tally.migrations, tally.boosts]),
      ],
      2,
    );
    line.classList.toggle('chosen', choice.chosen === thread);
    body.append(line);
  }
  table.replaceChildren(tableHead(groups, 3), body);
  return Math.min(all.length, THREADS_MAX);
}
