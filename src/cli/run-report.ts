import type { Workload, WorkloadReport } from '../index';
import { boosts, FIGURES_HEAD, figures, milliseconds, overallTable, table } from './report';

const ENDS: Readonly<Record<string, string>> = {
  time: 'the duration is over',
  idle: 'nothing is left to do',
  events: 'the limit of steps was reached; raise --max-events, or lower --duration',
  livelock: 'threads only hand mutexes round and nobody ever computes, sleeps or ends',
};

function tasksTable({ tasks }: WorkloadReport, top: number): string {
  const rows = table(['task', 'threads', ...FIGURES_HEAD, 'boosts'], 1);
  for (const task of tasks.slice(0, top)) {
    rows.push([task.name, task.threads, ...figures(task.figures), boosts(task.figures)]);
  }
  return rows.toString();
}

function threadsTable({ threads }: WorkloadReport, top: number): string {
  const rows = table(['thread', 'level', ...FIGURES_HEAD, 'boosts'], 1);
  const busiest = [...threads].sort((a, b) => b.figures.runNs - a.figures.runNs).slice(0, top);
  for (const thread of busiest) {
    rows.push([thread.name, thread.priority, ...figures(thread.figures), boosts(thread.figures)]);
  }
  return rows.toString();
}

function closingLines(report: WorkloadReport, top: number): string[] {
  const { policy, stopped, endNs, waiting, failedForks } = report;
  const lines = [`${policy}: ended at ${milliseconds(endNs)} ms: ${ENDS[stopped] ?? stopped}`];
  for (const { name, waitsFor } of waiting.slice(0, top)) {
    lines.push(`${policy}: ${name} waits for ever, for ${waitsFor}`);
  }
  if (waiting.length > top) lines.push(`${policy}: and so do ${waiting.length - top} more`);
  if (failedForks > 0) {
    lines.push(`${policy}: ${failedForks} forks found no room; raise --live-threads`);
  }
  return lines;
}

/** The runs of a workload for people; `top` tasks and threads of each list. */
export function printWorkload(
  workload: Workload,
  reports: readonly WorkloadReport[],
  top: number,
): void {
  const [first] = reports;
  if (first === undefined) return;
  const { name, durationNs, tasks } = workload;
  const length = durationNs === undefined ? 'no duration' : `${durationNs / 1e9} s`;
  const { processors, policy, threads, timerResolutionNs } = first;
  console.log(
    `${name}: ${tasks.length} tasks, ${length}, on ${processors.length} processors; sleeps and timers end at clock ticks, every ${milliseconds(timerResolutionNs)} ms`,
  );
  for (const { place, text } of first.notes) {
    console.log(`note: ${name}:${place.line}:${place.column}: ${text}`);
  }
  console.log(overallTable(reports));
  console.log(`tasks, ${Math.min(top, tasks.length)} of ${tasks.length}, ${policy}:`);
  console.log(tasksTable(first, top));
  console.log(`the ${Math.min(top, threads.length)} busiest of ${threads.length} threads:`);
  console.log(threadsTable(first, top));
  for (const report of reports) for (const line of closingLines(report, top)) console.log(line);
  for (const report of reports) console.log(`digest ${report.policy} ${report.digest}`);
}

/** The same for programs. */
export function workloadJson(workload: Workload, reports: readonly WorkloadReport[]): string {
  const { name, durationNs, tasks } = workload;
  const notes = reports[0]?.notes ?? [];
  const whole = {
    workload: { name, durationNs: durationNs ?? null, tasks: tasks.length, notes },
    reports: reports.map(({ notes: _, ...report }) => report),
  };
  return JSON.stringify(whole, null, 2);
}
