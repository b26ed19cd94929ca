import { cpus } from 'node:os';
import Table from 'cli-table3';
import { hostCalls } from './ddi.js';
import { idleMachine } from './idle.js';
import { referencePort } from './port.js';
import { manyProcesses } from './processes.js';
import { manyProcessors } from './processors.js';
import { longReplay } from './replay.js';
import type { Row, Workload } from './row.js';
import { linuxSubsystem } from './subsystem.js';
import { contextSwitches } from './switch.js';
import { manyThreads } from './threads.js';
import { manyTimers } from './timers.js';
import { driverRules } from './verify.js';
import { manyWaits } from './waits.js';
import { cpuWorkers } from './workers.js';
import { plainJavaScript } from './wasm2js.js';

/**
 * `npm run bench [-- --markdown] [workload …]`: every figure is a ratio to a baseline of the same
 * run, the best of a few rounds taken in turn.
 */

const WORKLOADS: Readonly<Record<string, Workload>> = {
  switch: contextSwitches,
  threads: manyThreads,
  processors: manyProcessors,
  processes: manyProcesses,
  timers: manyTimers,
  waits: manyWaits,
  ddi: hostCalls,
  wasm2js: plainJavaScript,
  port: referencePort,
  workers: cpuWorkers,
  subsystem: linuxSubsystem,
  verify: driverRules,
  replay: longReplay,
  idle: idleMachine,
};

const HEAD = ['workload', 'measured', 'baseline of the same run', 'figure', 'goal'];

function cells({ workload, measured, baseline, ratio, goal, met }: Row): string[] {
  return [
    workload,
    measured,
    baseline,
    ratio,
    goal === undefined ? '' : `${goal} ${met ? '✓' : '✗'}`,
  ];
}

function machineLine(): string {
  const [first] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, ${first?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}`;
}

function markdown(rows: readonly Row[]): string {
  const line = (texts: readonly string[]) => `| ${texts.join(' | ')} |`;
  return [line(HEAD), line(HEAD.map(() => '---')), ...rows.map((row) => line(cells(row)))].join(
    '\n',
  );
}

function table(rows: readonly Row[]): string {
  const shown = new Table({
    head: HEAD,
    colWidths: [12, 46, 46, 20, 22],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  shown.push(...rows.map(cells));
  return shown.toString();
}

const chosen = process.argv.slice(2).filter((argument) => argument !== '--markdown');
for (const name of chosen) {
  if (!Object.hasOwn(WORKLOADS, name)) {
    console.error(`'${name}' is no workload; known: ${Object.keys(WORKLOADS).join(', ')}`);
    process.exit(2);
  }
}
const rows: Row[] = [];
for (const [name, workload] of Object.entries(WORKLOADS)) {
  if (chosen.length !== 0 && !chosen.includes(name)) continue;
  process.stderr.write(`${name} …\n`);
  rows.push(...(await workload()));
}
const show = process.argv.includes('--markdown') ? markdown : table;
console.log(`${machineLine()}\n\n${show(rows)}`);
