import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pairs } from './pairs.js';
import { bestInTurn, type Task } from './rounds.js';
import { figure, type Row, switchRate, times } from './row.js';

/** Context switches of 10,000 program threads beside those of this host's kernel through a pipe. */

const THREADS = 10_000;
const PROCESSORS = 4;
const STEPS = 1_000_000;
const ROUNDS = 20;

/**
 * Two threads or processes that send a byte to and fro through two pipes: two switches a round trip.
 * Arguments: round trips, whether processes, and the processor of each (-1: any). Prints ns a switch.
 */
const PIPE_PING_PONG = `
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static int there[2], back[2], processor_of_echo;
static long round_trips;
static void pin(int processor) {
  cpu_set_t set;
  if (processor < 0) return;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) exit(3);
}
static void *echo(void *unused) {
  char byte;
  pin(processor_of_echo);
  for (long i = 0; i < round_trips; i++)
    if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1) exit(2);
  return unused;
}
int main(int count, char **arguments) {
  struct timespec start, end;
  pthread_t thread;
  char byte = 'x';
  if (count != 5 || pipe(there) != 0 || pipe(back) != 0) return 1;
  round_trips = atol(arguments[1]);
  int processes = atoi(arguments[2]);
  processor_of_echo = atoi(arguments[4]);
  pid_t child = processes ? fork() : 0;
  if (child < 0) return 1;
  if (processes && child == 0) {
    echo(NULL);
    _exit(0);
  }
  if (!processes && pthread_create(&thread, NULL, echo, NULL) != 0) return 1;
  pin(atoi(arguments[3]));
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (long i = 0; i < round_trips; i++)
    if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) return 2;
  clock_gettime(CLOCK_MONOTONIC, &end);
  if (processes) waitpid(child, NULL, 0);
  else pthread_join(thread, NULL);
  double ns = (end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec);
  printf("%.1f\\n", ns / round_trips / 2);
  return 0;
}
`;

/** How the kernel's two threads are placed, and round trips that take a twentieth of a second or two. */
const PLACEMENTS = {
  'two threads pinned to one processor': ['10000', '0', '0', '0'],
  'two processes pinned to one processor': ['10000', '1', '0', '0'],
  'two threads placed by the kernel': ['2000', '0', '-1', '-1'],
  'two processes placed by the kernel': ['2000', '1', '-1', '-1'],
} as const;
type Placement = keyof typeof PLACEMENTS;

function kernelTasks(folder: string): Record<Placement, Task> | undefined {
  const source = join(folder, 'pipe.c');
  const binary = join(folder, 'pipe');
  writeFileSync(source, PIPE_PING_PONG);
  const compiled = spawnSync('cc', ['-O2', '-pthread', source, '-o', binary], { stdio: 'pipe' });
  if (compiled.status !== 0) return undefined;
  const tasks = Object.entries(PLACEMENTS).map(([name, args]): [string, Task] => [
    name,
    () => Number(execFileSync(binary, args, { encoding: 'utf8' })) / 1e6,
  ]);
  return Object.fromEntries(tasks) as Record<Placement, Task>;
}

function rowsOf(
  what: string,
  ms: number,
  fastest: Placement | undefined,
  best: Readonly<Record<Placement, number>>,
  hasGoal: boolean,
): Row[] {
  const measured = `${what}: ${switchRate(ms)}`;
  const rate = 1e-3 / ms;
  const row: Row = {
    workload: 'switch',
    measured,
    baseline: 'a second of this host',
    ratio: `${figure(rate)} M/s`,
    ...(hasGoal ? { goal: '≥ 10 M/s', met: rate >= 10 } : {}),
  };
  if (fastest === undefined) {
    const baseline = 'none: no C compiler (cc) to build it with';
    return [row, { workload: 'switch', measured, baseline, ratio: '-' }];
  }
  const ratio = best[fastest] / ms;
  return [
    row,
    {
      workload: 'switch',
      measured,
      baseline: `host kernel through pipes, ${fastest}: ${figure(best[fastest] * 1e6)} ns`,
      ratio: times(ratio),
      ...(hasGoal ? { goal: '≥ 20 ×', met: ratio >= 20 } : {}),
    },
  ];
}

export async function contextSwitches(): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ntps-bench-'));
  try {
    const given = { processors: PROCESSORS, threads: THREADS };
    const all = await Pairs.create(given);
    const boosted = await Pairs.create({ ...given, increment: 1 });
    const kernel = kernelTasks(folder);
    const best = await bestInTurn<'all' | 'boosted' | Placement>(ROUNDS, {
      all: () => all.run(STEPS),
      boosted: () => boosted.run(STEPS),
      ...((kernel ?? {}) as Record<Placement, Task>),
    });
    const fastest = (Object.keys(kernel ?? {}) as Placement[]).sort((a, b) => best[a] - best[b])[0];
    const threads = `${figure(THREADS)} threads on ${PROCESSORS} processors`;
    return [
      ...rowsOf(`${threads}, EVENT_INCREMENT`, best.boosted, fastest, best, true),
      // Not asked for, and harder: what a switch needs is never in the nearest cache.
      ...rowsOf(
        `${threads}, no boost: each switch to who waited longest, all over memory`,
        best.all,
        fastest,
        best,
        false,
      ),
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
