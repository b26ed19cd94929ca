import { describe, expect, test } from 'vitest';
import { planReplay } from '../../../src/workload/events/plan';
import { access, create, exit, load, read, sysmon } from './log-text';
import { hasSharedRecording, sharedRecording } from './shared';

const ntps = (name: string, at: number, data: Readonly<Record<string, unknown>>): string =>
  sysmon(0, at, data)
    .replace('"Microsoft-Windows-Sysmon"', '"ntps"')
    .replace('"EventID":0', `"EventID":"${name}"`);

const thread = (at: number, source: number, target: number, id: number) =>
  ntps('ThreadCreate', at, { SourceProcessId: source, TargetProcessId: target, NewThreadId: id });
const ends = (at: number, process: number, id: number, status = 0) =>
  ntps('ThreadTerminate', at, { ProcessId: process, ThreadId: id, ExitStatus: status });

/** The actions in short: processes and threads by number, times in s. */
function actionsOf(...lines: readonly string[]): string[] {
  return planReplay(read(...lines)).actions.map((each) => {
    const by = 'by' in each && each.by !== undefined ? `${each.by.process}.${each.by.thread} ` : '';
    const what =
      each.action === 'create'
        ? `${each.process}${each.suspended ? ' suspended' : ''}`
        : each.action === 'begin'
          ? each.process
          : each.action === 'create-thread'
            ? `${each.thread.process}.${each.thread.thread}`
            : each.action === 'open'
              ? `${each.process} 0x${each.access.toString(16)}`
              : 'image' in each
                ? each.image
                : `0x${each.status.toString(16)}`;
    return `${each.timeNs / 1e9} ${by}${each.action} ${what}`;
  });
}

describe('the plan of a replay', () => {
  test('lets a new process begin when it first does something, with its executable and ntdll.dll', () => {
    expect(
      actionsOf(
        create(1, 8, 'a.exe', 4),
        access(1.1, 4, 8),
        load(1.2, 8, 'a.exe'),
        load(1.3, 8, 'ntdll.dll'),
        load(1.4, 8, 'b.dll'),
        exit(2, 8, { ExitStatus: '0x1' }),
      ),
    ).toEqual([
      '0 0.0 create 1 suspended',
      '0.1 0.0 open 1 0x1410',
      '0.2 begin 1',
      '0.4 1.0 load C:\\Windows\\b.dll',
      '1 1.0 exit 0x1',
    ]);
  });

  test('lets a process whose loads are not recorded begin at once', () => {
    expect(actionsOf(create(1, 8, 'a.exe', 4), exit(2, 8))).toEqual([
      '0 0.0 create 1',
      '1 1.0 exit 0x0',
    ]);
  });

  test('lets a process act before its first load, and load what is not its executable', () => {
    expect(actionsOf(create(1, 8, 'a.exe', 4), access(1.5, 8, 4), load(2, 8, 'other.dll'))).toEqual(
      [
        '0 0.0 create 1 suspended',
        '0.5 begin 1',
        '0.5 1.0 open 0 0x1410',
        '1 1.0 load C:\\Windows\\other.dll',
      ],
    );
  });

  test('has the threads that events name of processes from before, and one of others', () => {
    const recording = read(
      access(1, 8, 12),
      access(2, 8, 12, { SourceThreadId: '99' }),
      load(3, 8, 'x.dll'),
    );
    const { processes, actions } = planReplay(recording);
    expect(processes.map(({ threads }) => threads)).toEqual([[9, 99], [undefined]]);
    expect(actions.map((each) => 'by' in each && each.by)).toEqual([
      { process: 0, thread: 0 },
      { process: 0, thread: 1 },
      { process: 0, thread: 0 },
    ]);
  });

  test('leaves a process alive whose end nobody tells, though all its threads end that events name', () => {
    const line = JSON.stringify({
      SourceName: 'ntps',
      Channel: 'ntps/Processes',
      TimeCreated: '2024-05-01T10:00:00Z',
      EventID: 'ThreadTerminate',
      ProcessId: 8,
      ThreadId: 16,
      ExitStatus: '0x7',
    });
    const { actions, processes } = planReplay(read(`${line}\n`));
    expect(processes.map(({ threads }) => threads)).toEqual([[16, undefined]]);
    expect(actions).toMatchObject([
      { action: 'exit-thread', by: { process: 0, thread: 0 }, status: 7 },
    ]);
  });

  test('of threads that are told makes all but the first, which comes with its process', () => {
    expect(
      actionsOf(
        create(1, 8, 'a.exe', 4),
        thread(1, 4, 8, 20),
        thread(2, 8, 8, 24),
        thread(3, 4, 8, 28),
        ends(4, 8, 24, 5),
        thread(5, 8, 8, 24),
        ends(6, 8, 20),
        ends(6, 8, 28),
        ends(6, 8, 24, 7),
        exit(6, 8, { ExitStatus: 7 }),
      ),
    ).toEqual([
      '0 0.0 create 1',
      '1 1.0 create-thread 1.1',
      '2 0.0 create-thread 1.2',
      '3 1.1 exit-thread 0x5',
      '4 1.0 create-thread 1.3',
      '5 1.0 exit-thread 0x0',
      '5 1.2 exit-thread 0x0',
      '5 1.3 exit 0x7',
    ]);
  });

  test('leaves a creation without a creator to the kernel, and loads drivers', () => {
    expect(actionsOf(sysmon(6, 1, { ImageLoaded: 'C:\\d.sys' }), create(2, 8, 'a.exe', 8))).toEqual(
      ['0 load-driver C:\\d.sys', '1 create 0'],
    );
  });

  test.skipIf(!hasSharedRecording)(
    'of a recording of Windows 10 has an action for every event but the initial loads',
    () => {
      const { actions, processes } = planReplay(sharedRecording());
      const counts = new Map<string, number>();
      for (const { action } of actions) counts.set(action, (counts.get(action) ?? 0) + 1);
      expect(Object.fromEntries(counts)).toEqual({
        create: 37,
        begin: 37,
        exit: 36,
        load: 911 - 37 * 2 - 1,
        open: 1094,
      });
      expect(processes.filter(({ wow64 }) => wow64).length).toBe(1);
    },
  );
});
