import { beforeAll, expect, test } from 'vitest';
import { type RecordingReplay, type Replay, replayRecording } from '../../src/index';
import { Intervals, Schedule, SYSTEM_THREAD } from '../../src/web/schedule';
import { Cast, Numbers } from '../../src/web/threads';
import { fillColumns } from '../../src/web/timeline';
import { recordingPrefix } from '../hosts/recording';

let replay: Replay;
let schedule: Schedule;
let outcome: RecordingReplay;
beforeAll(async () => {
  async function* text(): AsyncGenerator<Uint8Array> {
    yield recordingPrefix(12_000);
  }
  outcome = await replayRecording(text(), {
    name: 'recording',
    policies: ['nt'],
    liveThreads: 512,
    onStart: (replays) => {
      replay = replays[0] as Replay;
      schedule = new Schedule(replay);
    },
  });
  schedule.finish(outcome.reports[0]?.endNs ?? 0);
});

interface Sum {
  count: number;
  ns: number;
}

/** How many intervals each thread has, and how long they are together. */
function sums(all: readonly Intervals[]): Sum[] {
  const byThread = replay.figures.threads.map(() => ({ count: 0, ns: 0 }));
  for (const { count, startsNs, endsNs, threads } of all) {
    for (let index = 0; index < count; index++) {
      const sum = byThread[threads[index] as number];
      if (sum === undefined) continue;
      sum.count++;
      sum.ns += (endsNs[index] as number) - (startsNs[index] as number);
    }
  }
  return byThread;
}

test('each thread was ready as often and as long as its figures say', () => {
  const figures = replay.figures.threads.map(({ ready }) => ({
    count: ready.count,
    ns: ready.sum,
  }));
  expect(sums([schedule.ready])).toEqual(figures);
});

test('each ended thread has a run for each time it left its processor', () => {
  const ended = replay.figures.threads.map(({ ended }) => ended);
  const switches = replay.figures.threads.map(
    (each) => each.voluntarySwitches + each.involuntarySwitches,
  );
  const counts = sums(schedule.lanes).map(({ count }) => count);
  expect(counts.filter((_, index) => ended[index])).toEqual(
    switches.filter((_, index) => ended[index]),
  );
  expect(counts.length).toBeGreaterThan(100);
});

test('the runs of a processor follow each other', () => {
  for (const { count, startsNs, endsNs } of schedule.lanes) {
    const starts = [...startsNs.subarray(1, count)];
    expect(starts.filter((start, index) => start < (endsNs[index] as number))).toEqual([]);
    expect(count).toBeGreaterThan(500);
  }
});

test('a thread of the schedule is the one of the recording that ran as long', () => {
  const cast = new Cast(outcome);
  const numbers = new Numbers(cast, replay);
  const named = replay.figures.threads.map((tally, number) => {
    const thread = numbers.thread(number);
    return thread !== undefined && numbers.tally(thread) === tally ? 'itself' : 'another';
  });
  expect(new Set(named)).toEqual(new Set(['itself']));
  expect(numbers.look(SYSTEM_THREAD).name).toBe('System');
});

test('the ten busiest processes have colours of their own', () => {
  const cast = new Cast(outcome);
  const colours = cast.busiest.map(({ colour }) => colour);
  expect(new Set(colours.slice(0, 10)).size).toBe(10);
  expect(new Set(colours.slice(10)).size).toBe(1);
  const runNs = cast.busiest.map((process) => process.runNs);
  expect(runNs).toEqual([...runNs].sort((a, b) => b - a));
});

test('a column holds the time that runs took in it, and the thread of the longest', () => {
  const lane = new Intervals();
  lane.add(100, 250, 1);
  lane.add(250, 260, 2);
  lane.add(290, 300, 3);
  lane.add(450, 900, 4);
  const { busyNs, threads } = fillColumns(lane, { fromNs: 100, toNs: 500 }, 4);
  expect([...busyNs]).toEqual([100, 70, 0, 50]);
  expect([...threads]).toEqual([1, 1, SYSTEM_THREAD, 4]);
});

test('the first interval that ends after a time is found', () => {
  const lane = new Intervals();
  for (let start = 0; start < 3000; start++) lane.add(start * 10, start * 10 + 5, start);
  expect([lane.firstAfter(0), lane.firstAfter(5), lane.firstAfter(29_994)]).toEqual([0, 1, 2999]);
  expect(lane.firstAfter(29_995)).toBe(lane.count);
});
