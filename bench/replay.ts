import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { bestInTurn } from './rounds.js';
import { figure, type Row } from './row.js';

/** The whole command `ntps replay` on a long recording, against counting its lines. */

const LINES = 1_000_000;
const ROUNDS = 3;
const RECORDING = 'examples/recordings/build.ftrace.gz';
/** Between the end of one copy of the recording and the start of the next. */
const PAUSE_SECONDS = 1;
const TIME = /(?<= )(\d+\.\d{6})(?=: )/;

function timeOf(line: string): number {
  const found = TIME.exec(line);
  if (found === null) throw new Error(`${RECORDING}: no time in '${line}'`);
  return Number(found[1]);
}

/** Writes the shipped recording over and over, each copy later than the one before; its lines. */
function writeLongRecording(path: string): number {
  const all = gunzipSync(readFileSync(RECORDING)).toString('utf8').trimEnd().split('\n');
  const body = all.findIndex((line) => !line.startsWith('#'));
  const events = all.slice(body);
  const duration = timeOf(events[events.length - 1] as string) - timeOf(events[0] as string);
  const file = openSync(path, 'w');
  let lines = body;
  writeSync(file, `${all.slice(0, body).join('\n')}\n`);
  for (let copy = 0; lines < LINES; copy++) {
    const shift = copy * (duration + PAUSE_SECONDS);
    const shifted = events.map((line) =>
      line.replace(TIME, (time) => (Number(time) + shift).toFixed(6).padStart(time.length)),
    );
    writeSync(file, `${shifted.join('\n')}\n`);
    lines += events.length;
  }
  closeSync(file);
  return lines;
}

function runCommand(command: string, args: readonly string[]): number {
  const start = performance.now();
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  return performance.now() - start;
}

export async function longReplay(): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ntps-bench-'));
  try {
    const path = join(folder, 'long.ftrace');
    const lines = writeLongRecording(path);
    const best = await bestInTurn(ROUNDS, {
      nt: () =>
        runCommand(process.execPath, ['build/cli.js', 'replay', path, '--policy', 'nt']) / lines,
      all: () => runCommand(process.execPath, ['build/cli.js', 'replay', path]) / lines,
      count: () => runCommand('wc', ['-l', path]) / lines,
    });
    const linesASecond = 1e3 / best.nt;
    return [
      {
        workload: 'replay',
        measured: `ntps replay --policy nt of ${figure(lines)} lines, the whole command`,
        baseline: 'a second of this host',
        ratio: `${figure(linesASecond)} lines/s`,
        goal: '≥ 500,000 lines/s',
        met: linesASecond >= 500_000,
      },
      {
        workload: 'replay',
        measured: `ntps replay of the same: three schedulers at once, ${figure(1e3 / best.all)} lines/s`,
        baseline: 'NT alone',
        ratio: `1/${figure(best.all / best.nt)}`,
      },
      {
        workload: 'replay',
        measured: `ntps replay --policy nt: ${figure(linesASecond)} lines/s`,
        baseline: `wc -l on the same file: ${figure(1e3 / best.count)} lines/s`,
        ratio: `1/${figure(best.nt / best.count)}`,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
