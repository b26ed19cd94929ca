import { beforeAll, expect, test } from 'vitest';
import { openRecording } from '../../src/cli/open';
import { decodeRecord, type TraceRecord } from '../../src/machine/records';
import { mapPriority } from '../../src/workload/policy';
import { type RecordingReplay, replayRecording } from '../../src/workload/replay-recording';
import { recordedFigures } from '../../src/workload/report';

const RECORDING = 'examples/recordings/build.ftrace.gz';

async function* once(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks)
    yield typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
}

let whole: RecordingReplay;

beforeAll(async () => {
  whole = await replayRecording(await openRecording(RECORDING), { name: RECORDING });
});

test('a replay conserves the run time of each thread to the nanosecond, under each policy', () => {
  expect(whole.reports.map(({ policy }) => policy)).toEqual(['nt', 'fifo', 'rr']);
  const recorded = whole.recording.threads.map(({ runNs }) => runNs);
  expect(recorded.length).toBe(469);
  for (const report of whole.reports) {
    expect(report.threads.map(({ replayed }) => replayed.runNs)).toEqual(recorded);
    expect(report.overall.runNs).toBe(recordedFigures(whole.recording).runNs);
    expect(report.notConserved).toBe(0);
  }
});

test('a replay has as many processors as the head of the recording tells', () => {
  expect(whole.reports.map(({ processors }) => processors.length)).toEqual([2, 2, 2]);
});

test("a replay's processors were busy for as long as its threads ran", () => {
  for (const { overall, processors } of whole.reports) {
    const busyNs = processors.reduce((sum, processor) => sum + processor.busyNs, 0);
    // The balance-set manager runs too.
    expect(busyNs - overall.runNs).toBeGreaterThanOrEqual(0);
    expect(busyNs - overall.runNs).toBeLessThan(1_000_000);
  }
});

test('where the text is cut into chunks makes no difference to a replay', async () => {
  const chunks = [];
  for await (const chunk of await openRecording(RECORDING)) chunks.push(chunk);
  const text = Buffer.concat(chunks).subarray(0, 600_000);
  const pieces = Array.from({ length: 601 }, (_, index) =>
    text.subarray(index * 1000 - 7, index * 1000 + 993),
  );
  const options = { name: RECORDING, policies: ['nt'] as const };
  const atOnce = await replayRecording(once(text), options);
  const cut = await replayRecording(once(text.subarray(0, 993), ...pieces.slice(1)), options);
  expect(cut.reports[0]).toEqual(atOnce.reports[0]);
});

const SWITCH = (cpu: number, at: string, from: string, state: string, to: string) =>
  `  ${from.replace(':', '-')} [00${cpu}] d... ${at}: sched_switch: prev_comm=${from.split(':')[0]} prev_pid=${from.split(':')[1]} prev_prio=120 prev_state=${state} ==> next_comm=${to.split(':')[0]} next_pid=${to.split(':')[1]} next_prio=120\n`;
const IDLE = 'swapper/0:0';

test('a thread that was asleep when the recording began is woken without having run before', async () => {
  const text = [
    SWITCH(0, '1.000000', 'a:10', 'R', 'a:10'),
    '  a-10 [000] d... 1.001000: sched_waking: comm=b pid=20 prio=120 target_cpu=000\n',
    SWITCH(0, '1.002000', 'a:10', 'S', 'b:20'),
    SWITCH(0, '1.005000', 'b:20', 'S', IDLE),
  ].join('');
  const { reports } = await replayRecording(once(text), { name: 'text', policies: ['nt'] });
  expect(
    reports[0]?.threads.map(({ name, replayed }) => [
      name,
      replayed.runNs,
      replayed.voluntarySwitches,
      replayed.ready.count,
    ]),
  ).toEqual([
    // The boost of b's wake takes its processor for a while.
    ['a', 2_000_000, 1, 2],
    ['b', 3_000_000, 1, 1],
  ]);
});

test('a child begins when its parent has come to the fork, in a process of its own', async () => {
  const text = [
    SWITCH(0, '1.000000', IDLE, 'R', 'sh:10'),
    '  sh-10 [000] .... 1.004000: task_newtask: pid=11 comm=sh clone_flags=1200011 oom_score_adj=0\n',
    '  sh-10 [000] .... 1.004000: sched_process_fork: comm=sh pid=10 child_comm=sh child_pid=11\n',
    '  sh-10 [000] d... 1.004000: sched_wakeup_new: comm=sh pid=11 prio=120 target_cpu=001\n',
    SWITCH(1, '1.004100', IDLE, 'R', 'sh:11'),
    '  ls-11 [001] .... 1.005000: task_rename: pid=11 oldcomm=sh newcomm=ls oom_score_adj=0\n',
    SWITCH(0, '1.006000', 'sh:10', 'S', IDLE),
    SWITCH(1, '1.009000', 'ls:11', 'X', IDLE),
  ].join('');
  const starts: TraceRecord[] = [];
  const { recording, reports } = await replayRecording(once(text), {
    name: 'text',
    policies: ['nt'],
    onStart: ([replay]) =>
      replay?.machine.trace.subscribe((batch) => {
        for (let index = 0; index < batch.count; index++) {
          const record = decodeRecord(batch, index);
          if (record.type === 'processStart' && record.process !== 1) starts.push(record);
        }
      }),
  });
  expect(starts).toMatchObject([
    { timeNs: 0, process: 2, parent: 0, creator: 0 },
    { process: 3, parent: 2, creator: 2 },
  ]);
  expect(starts[1]?.timeNs).toBeGreaterThan(4_000_000);
  expect(starts[1]?.timeNs).toBeLessThan(4_010_000);
  expect(reports[0]?.processes.map(({ name, tgid, threads }) => [name, tgid, threads])).toEqual([
    ['sh', 10, 1],
    ['ls', 11, 1],
  ]);
  expect(recording.threads.map(({ process }) => process)).toEqual([0, 1]);
  expect(reports[0]?.threads.map(({ ended, replayed }) => [ended, replayed.runNs])).toEqual([
    [false, 6_000_000],
    [true, 4_900_000],
  ]);
});

test('a change of priority takes effect where the thread was when it happened', async () => {
  const at = (line: string, priority: number) =>
    line.replace('prev_prio=120', `prev_prio=${priority}`);
  const text = [
    SWITCH(0, '1.000000', IDLE, 'R', 'a:10'),
    at(SWITCH(0, '1.002000', 'a:10', 'R', 'a:10'), 139),
    SWITCH(0, '1.004000', 'a:10', 'S', IDLE),
  ].join('');
  const changes: TraceRecord[] = [];
  await replayRecording(once(text), {
    name: 'text',
    policies: ['nt'],
    onStart: ([replay]) =>
      replay?.machine.trace.subscribe((batch) => {
        for (let index = 0; index < batch.count; index++) {
          const record = decodeRecord(batch, index);
          if (record.type === 'priority') changes.push(record);
        }
      }),
  });
  expect(changes).toMatchObject([
    { oldPriority: 8, newPriority: 9 },
    { oldPriority: 9, newPriority: 1, basePriority: 1 },
    { oldPriority: 1, newPriority: 8, basePriority: 8 },
  ]);
});

test('threads alive at once beyond the room for them are an error that says what to raise', async () => {
  const text = Array.from({ length: 30 }, (_, cpu) =>
    SWITCH(cpu % 10, '1.000000', IDLE, 'R', `a:${cpu + 10}`),
  ).join('');
  await expect(replayRecording(once(text), { name: 'text', liveThreads: 4 })).rejects.toThrow(
    /raise liveThreads/,
  );
});

test('nice 0 is priority 8, and real-time priorities fill 16 to 31', () => {
  expect([100, 120, 139, 98, 0].map(mapPriority)).toEqual([15, 8, 1, 16, 31]);
});
