import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { KSYSTEM, KTABLE } from '../../assembly/shared/layout';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { openRecording } from '../../src/cli/open';
import type { DriverOptions } from '../../src/machine/driver';
import type { Machine } from '../../src/machine/machine';
import type { KProcess } from '../../src/machine/views';
import { OBJ } from '../../src/ob/attributes';
import { ObOpenObjectByPointer, ZwClose } from '../../src/ob/handle';
import { PsProcessType } from '../../src/ob/types';
import { ZwTerminateProcess } from '../../src/ps/control-services';
import {
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateProcessNotifyRoutineEx2,
  PsSetCreateThreadNotifyRoutineEx,
} from '../../src/ps/register';
import { PSCREATETHREADNOTIFYTYPE } from '../../src/ps/thread-notify';
import { Replay } from '../../src/workload/replay';
import { type RecordingReplay, replayRecording } from '../../src/workload/replay-recording';
import { recordedFigures } from '../../src/workload/report';
import { check } from '../property/check';
import { event, switchTo, waking } from './trace-text';

const RECORDING = 'examples/recordings/build.ftrace.gz';
const IDLE = '<idle>-0';
const THREAD_FLAGS = '3d0f00';
const FORK_FLAGS = '1200000';

async function* once(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks)
    yield typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
}

const asLinux = (text: string, driver?: DriverOptions): Promise<RecordingReplay> =>
  replayRecording(once(text), {
    name: 'text',
    policies: ['nt'],
    subsystem: 'wsl',
    onStart: ([replay]) => {
      if (driver !== undefined) replay?.machine.loadDriver(driver);
    },
  });

/** A driver that writes down what it is told of processes and threads of any subsystem. */
function watcher(told: string[]): DriverOptions {
  const verb = (begins: boolean) => (begins ? 'begins' : 'ends');
  return {
    name: 'watcher',
    *DriverEntry() {
      yield* PsSetCreateProcessNotifyRoutineEx((_process, id) => {
        told.push(`Ex: ${id}`);
      }, false);
      yield* PsSetCreateThreadNotifyRoutineEx(
        PSCREATETHREADNOTIFYTYPE.PsCreateThreadNotifySubsystems,
        (process, id, create) => {
          if (process !== 4) told.push(`thread ${id} of ${process} ${verb(create)}`);
        },
      );
      return yield* PsSetCreateProcessNotifyRoutineEx2(
        0,
        (_process, id, info) => {
          const names =
            info === null
              ? ''
              : ` of ${info.ParentProcessId}, ${info.ImageFileName} ${info.IsSubsystemProcess}`;
          told.push(`process ${id} ${verb(info !== null)}${names}`);
        },
        false,
      );
    },
  };
}

const forks = (us: number, who: string, child: string, flags = FORK_FLAGS) => {
  const [comm, pid] = child.split('-');
  const [parent, parentPid] = who.split('-');
  return [
    event(us, who, `task_newtask: pid=${pid} comm=${comm} clone_flags=${flags} oom_score_adj=0`),
    event(
      us,
      who,
      `sched_process_fork: comm=${parent} pid=${parentPid} child_comm=${comm} child_pid=${pid}`,
    ),
    event(us, who, `sched_wakeup_new: comm=${comm} pid=${pid} prio=120 target_cpu=000`),
  ].join('');
};

const executes = (us: number, who: string, path: string) =>
  event(
    us,
    who,
    `sched_process_exec: filename=${path} pid=${who.split('-')[1]} old_pid=${who.split('-')[1]}`,
  );

/** sh forks ls, which executes a program and wakes sh, which waits for it; both end. */
const SHELL = [
  switchTo(0, IDLE, 'R', 'sh-10'),
  forks(1000, 'sh-10', 'sh-11'),
  switchTo(2000, 'sh-10', 'S', 'sh-11'),
  executes(3000, 'sh-11', '/bin/ls'),
  waking(5000, 'sh-11', 'sh-10'),
  event(5500, 'sh-11', 'sched_process_exit: comm=ls pid=11 prio=120'),
  switchTo(6000, 'sh-11', 'X', 'sh-10'),
  event(8000, 'sh-10', 'sched_process_exit: comm=sh pid=10 prio=120'),
  switchTo(9000, 'sh-10', 'X', IDLE),
].join('');

test('the shipped recording as processes of Linux conserves the run time of each thread to the nanosecond', async () => {
  const { recording, reports } = await replayRecording(await openRecording(RECORDING), {
    name: RECORDING,
    policies: ['nt', 'rr'],
    subsystem: 'wsl',
  });
  const recorded = recording.threads.map(({ runNs }) => runNs);
  for (const report of reports) {
    expect(report.threads.map(({ replayed }) => replayed.runNs)).toEqual(recorded);
    expect(report.overall.runNs).toBe(recordedFigures(recording).runNs);
    expect(report.notConserved).toBe(0);
    expect(report.subsystem).toMatchObject({
      subsystem: 'wsl',
      forks: 339,
      threads: 112,
      execs: 340,
      exits: 451,
      found: 18,
      execsLeftOut: 0,
      refused: 0,
      cutShort: 0,
      notRecorded: [],
    });
  }
});

test('a driver is told of every fork, thread and end of it, and its time in callbacks is not theirs', async () => {
  const told: string[] = [];
  const { recording, reports } = await replayRecording(await openRecording(RECORDING), {
    name: RECORDING,
    policies: ['nt'],
    subsystem: 'wsl',
    onStart: ([replay]) => replay?.machine.loadDriver(watcher(told)),
  });
  const count = (pattern: RegExp) => told.filter((line) => pattern.test(line)).length;
  expect(count(/^process .* begins/)).toBe(357);
  expect(count(/^thread .* begins/)).toBe(469);
  // Fifteen threads wait for ever, as the recording left them.
  expect(count(/^thread .* ends/)).toBe(454);
  expect(count(/^Ex/)).toBe(0);
  const [report] = reports;
  expect(report?.threads.map(({ replayed }) => replayed.runNs)).toEqual(
    recording.threads.map(({ runNs }) => runNs),
  );
  expect(report?.notConserved).toBe(0);
  expect(report?.subsystem?.callNs).toBeGreaterThan(300_000);
});

test('forks, execs and ends go through the provider and the callbacks, in their order', async () => {
  const told: string[] = [];
  const { reports } = await asLinux(SHELL, watcher(told));
  expect(told).toEqual([
    'process 12 begins of 4, /sh true',
    'thread 32 of 12 begins',
    'process 20 begins of 12, /sh true',
    'thread 40 of 20 begins',
    // The boost of its wake takes the shell to its end first.
    'thread 32 of 12 ends',
    'process 12 ends',
    'thread 40 of 20 ends',
    'process 20 ends',
  ]);
  expect(reports[0]?.subsystem).toMatchObject({ forks: 1, execs: 1, exits: 2, found: 1 });
  expect(reports[0]?.threads.map(({ ended, replayed }) => [ended, replayed.runNs])).toEqual([
    [true, 5_000_000],
    [true, 4_000_000],
  ]);
});

test('nothing is left of it when all has ended but events for the next threads', async () => {
  let machine: Machine | undefined;
  let before = 0;
  const objects = () =>
    machine?.memory.u32(KSYSTEM.Address + KSYSTEM.ObjectTable + KTABLE.Count) ?? 0;
  await replayRecording(once(SHELL), {
    name: 'text',
    policies: ['nt'],
    subsystem: 'wsl',
    onStart: ([replay]) => {
      machine = replay?.machine;
      before = objects();
    },
  });
  expect([...(machine?.allProcesses() ?? [])].map(({ name }) => name)).toEqual(['System']);
  const left = [...(machine?.allThreads() ?? [])].map(({ process }) => process.name);
  expect(new Set(left)).toEqual(new Set(['System']));
  // Events of threads that have ended are kept for the next ones.
  expect(objects() - before).toBe(2);
});

test('a process keeps in Linux what it has executed: its children are told of by that', async () => {
  const told: string[] = [];
  await asLinux(
    [
      switchTo(0, IDLE, 'R', 'sh-10'),
      executes(1000, 'sh-10', 'usr/bin/make'),
      forks(2000, 'sh-10', 'make-11'),
      switchTo(3000, 'sh-10', 'X', 'make-11'),
      switchTo(4000, 'make-11', 'X', IDLE),
    ].join(''),
    watcher(told),
  );
  expect(told.filter((line) => line.startsWith('process') && line.includes('begins'))).toEqual([
    'process 12 begins of 4, /sh true',
    'process 20 begins of 12, /usr/bin/make true',
  ]);
});

test('a thread made by clone is one of its process, which ends with the last of them', async () => {
  const told: string[] = [];
  const { reports } = await asLinux(
    [
      switchTo(0, IDLE, 'R', 'a-10'),
      forks(1000, 'a-10', 'a-11', THREAD_FLAGS),
      executes(1500, 'a-10', '/bin/b'),
      switchTo(2000, 'a-10', 'X', 'a-11'),
      switchTo(5000, 'a-11', 'X', IDLE),
    ].join(''),
    watcher(told),
  );
  expect(told).toEqual([
    'process 12 begins of 4, /a true',
    'thread 32 of 12 begins',
    'thread 40 of 12 begins',
    'thread 32 of 12 ends',
    'thread 40 of 12 ends',
    'process 12 ends',
  ]);
  expect(reports[0]?.subsystem).toMatchObject({ forks: 0, threads: 1, execs: 0, execsLeftOut: 1 });
  expect(reports[0]?.notConserved).toBe(0);
});

test('a process that a driver refuses never runs; who waits for it goes on as recorded', async () => {
  const refuse: DriverOptions = {
    name: 'refuse',
    *DriverEntry() {
      return yield* PsSetCreateProcessNotifyRoutineEx2(
        0,
        (_process, _id, info) => {
          if (info !== null && info.ParentProcessId !== 4)
            info.CreationStatus = STATUS.ACCESS_DENIED;
        },
        false,
      );
    },
  };
  const { reports } = await asLinux(SHELL, refuse);
  expect(reports[0]?.subsystem).toMatchObject({ forks: 0, refused: 1, cutShort: 1, exits: 1 });
  expect(reports[0]).toMatchObject({ waiting: 0, notConserved: 0 });
  expect(reports[0]?.threads.map(({ ended, replayed }) => [ended, replayed.runNs])).toEqual([
    [true, 5_000_000],
    // Its end is a step.
    [true, 1],
  ]);
});

test('what a refused process would have forked never is', async () => {
  const refuse: DriverOptions = {
    name: 'refuse',
    *DriverEntry() {
      return yield* PsSetCreateProcessNotifyRoutineEx2(
        0,
        (_process, _id, info) => {
          if (info?.ParentProcessId === 12) info.CreationStatus = STATUS.ACCESS_DENIED;
        },
        false,
      );
    },
  };
  const { reports } = await asLinux(
    [
      switchTo(0, IDLE, 'R', 'a-10'),
      forks(1000, 'a-10', 'b-11'),
      switchTo(2000, 'a-10', 'S', 'b-11'),
      forks(3000, 'b-11', 'c-12'),
      switchTo(4000, 'b-11', 'X', 'c-12'),
      waking(5000, 'c-12', 'a-10'),
      switchTo(6000, 'c-12', 'X', 'a-10'),
      switchTo(7000, 'a-10', 'X', IDLE),
    ].join(''),
    refuse,
  );
  expect(reports[0]?.subsystem).toMatchObject({ forks: 0, refused: 1, cutShort: 2 });
  expect(reports[0]?.waiting).toBe(0);
  expect(reports[0]?.threads.map(({ ended, replayed }) => [ended, replayed.runNs])).toEqual([
    [true, 3_000_000],
    [true, 1],
    [false, 0],
  ]);
});

test('a process that a driver ends does no more, and who waits for it goes on as recorded', async () => {
  const processes: KProcess[] = [];
  const killer: DriverOptions = {
    name: 'killer',
    *DriverEntry() {
      return yield* PsSetCreateProcessNotifyRoutineEx2(
        0,
        function* (process, _id, info) {
          if (info === null || processes.push(process) !== 3) return;
          const { handle } = yield* ObOpenObjectByPointer(
            processes[1] as KProcess,
            OBJ.KERNEL_HANDLE,
            null,
            1,
            PsProcessType,
            MODE.KernelMode,
          );
          yield* ZwTerminateProcess(handle, 5);
          yield* ZwClose(handle);
        },
        false,
      );
    },
  };
  const { reports } = await asLinux(
    [
      switchTo(0, IDLE, 'R', 'a-10'),
      forks(1000, 'a-10', 'b-11'),
      switchTo(2000, 'a-10', 'R', 'b-11'),
      switchTo(3000, 'b-11', 'S', 'a-10'),
      forks(4000, 'a-10', 'c-12'),
      waking(5000, 'a-10', 'b-11'),
      switchTo(6000, 'a-10', 'S', 'b-11'),
      waking(7000, 'b-11', 'a-10'),
      switchTo(8000, 'b-11', 'X', 'a-10'),
      switchTo(9000, 'a-10', 'X', 'c-12'),
      switchTo(9500, 'c-12', 'X', IDLE),
    ].join(''),
    killer,
  );
  expect(reports[0]?.subsystem).toMatchObject({ forks: 2, refused: 0, cutShort: 1 });
  expect(reports[0]).toMatchObject({ waiting: 0, notConserved: 0 });
  expect(reports[0]?.threads.map(({ ended, replayed }) => [ended, replayed.runNs])).toEqual([
    [true, 6_000_000],
    // It had not come to run.
    [true, 1],
    [true, 500_000],
  ]);
});

test('a recording of switches alone says that it has no forks, execs and exits', async () => {
  const { reports } = await asLinux(
    [switchTo(0, IDLE, 'R', 'a-10'), switchTo(4000, 'a-10', 'S', IDLE)].join(''),
  );
  expect(reports[0]?.subsystem).toMatchObject({
    forks: 0,
    execs: 0,
    exits: 0,
    found: 1,
    notRecorded: ['forks', 'execs', 'exits'],
  });
  expect(reports[0]?.threads.map(({ replayed }) => replayed.runNs)).toEqual([4_000_000]);
});

test('a thread that was asleep when the recording began begins in a wait, without having run', async () => {
  const { reports } = await asLinux(
    [
      switchTo(0, IDLE, 'R', 'a-10'),
      waking(1000, 'a-10', 'b-20'),
      switchTo(2000, 'a-10', 'S', 'b-20'),
      switchTo(5000, 'b-20', 'S', IDLE),
    ].join(''),
  );
  expect(
    reports[0]?.threads.map(({ replayed }) => [
      replayed.runNs,
      replayed.voluntarySwitches,
      replayed.ready.count,
    ]),
  ).toEqual([
    // Who makes b takes a's processor for a while, and so does b's boost.
    [2_000_000, 1, 3],
    [3_000_000, 1, 1],
  ]);
});

test('where the text is cut into chunks makes no difference to it', async () => {
  const chunks = [];
  for await (const chunk of await openRecording(RECORDING)) chunks.push(chunk);
  const text = Buffer.concat(chunks).subarray(0, 300_000);
  const options = { name: RECORDING, policies: ['nt'], subsystem: 'wsl' } as const;
  const atOnce = await replayRecording(once(text), options);
  const cut = await replayRecording(once(text.subarray(0, 777), text.subarray(777)), options);
  expect(cut.reports).toEqual(atOnce.reports);
});

test('lines cut out, doubled and swapped are replayed to an end, and what ran is conserved', async () => {
  const text = gunzipSync(readFileSync(RECORDING)).toString('latin1');
  const lines = text.split('\n').slice(11, 1511);
  const edits = fc.array(fc.tuple(fc.constantFrom('cut', 'double', 'swap'), fc.nat(1498)), {
    minLength: 1,
    maxLength: 60,
    size: 'max',
  });
  await check('test/workload/linux-replay.test.ts', edits, 15, async (plan) => {
    const edited = [...lines];
    for (const [how, at] of plan) {
      const line = edited[at] ?? '';
      if (how === 'cut') edited.splice(at, 1);
      else if (how === 'double') edited.splice(at, 0, line);
      else edited.splice(at, 2, edited[at + 1] ?? '', line);
    }
    const { recording, reports } = await asLinux(`${edited.join('\n')}\n`);
    expect(reports[0]).toMatchObject({ notConserved: 0, stopped: 'idle' });
    expect(reports[0]?.subsystem).toMatchObject({ refused: 0, cutShort: 0 });
    const ended = reports[0]?.threads.flatMap((thread, index) =>
      thread.ended ? [[index, thread.replayed.runNs]] : [],
    );
    const recorded = (ended ?? []).map(([index]) => [
      index,
      recording.threads[index as number]?.runNs,
    ]);
    expect(ended).toEqual(recorded);
  });
});

test('more threads than there is room for are an error that says what to raise', async () => {
  const text = Array.from({ length: 90 }, (_, index) =>
    switchTo(0, IDLE, 'R', `a-${index + 10}`, { cpu: index }),
  ).join('');
  const options = { name: 'text', subsystem: 'wsl', liveThreads: 4, policies: ['nt'] } as const;
  await expect(replayRecording(once(text), options)).rejects.toThrow(/raise liveThreads/);
});

test('a subsystem that there is not is refused', async () => {
  const subsystem = 'posix' as 'wsl';
  await expect(Replay.create({ processors: 1, subsystem })).rejects.toThrow(
    /subsystem is 'posix'; give 'wsl' or nothing/,
  );
});
