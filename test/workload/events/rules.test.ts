import { describe, expect, test } from 'vitest';
import { access, create, exit, guid, history, load, read, security } from './log-text';

const NO_GAPS = {
  processesBefore: 0,
  parentsBefore: 0,
  parentsUnknown: 0,
  parentsExited: 0,
  exitsNeverSeen: 0,
  exitsImplied: 0,
  dropped: 0,
  late: 0,
  early: 0,
  duplicates: 0,
  guidAliases: 0,
  timesBack: 0,
  idsReused: 0,
};

const named = (id: number, name: string) => ({ ProcessId: `${id}`, ProcessGuid: name });

describe('what a recording lacks', () => {
  test('1: a time that goes back is raised to the one before it in its log', () => {
    const recording = read(load(5, 8, 'a.dll'), load(4, 8, 'b.dll'), load(6, 8, 'c.dll'));
    expect(history(recording)).toEqual([
      '0 8#0 loads C:\\Windows\\a.dll',
      '0 8#0 loads C:\\Windows\\b.dll',
      '1 8#0 loads C:\\Windows\\c.dll',
    ]);
    expect(recording.gaps.timesBack).toBe(1);
    expect(recording.warnings).toEqual([
      {
        kind: 'time-back',
        count: 1,
        firstLine: 2,
        firstColumn: 1,
        text: 'a time is earlier than the one before it in its log; taken as equal',
      },
    ]);
  });

  test('1: logs one behind the other are merged by time, at one time the first log first', () => {
    const recording = read(
      load(1, 8, 'a.dll'),
      load(3, 8, 'c.dll'),
      security(4689, 2, { ProcessId: '0x10' }),
      security(4689, 3, { ProcessId: '0x20' }),
    );
    expect(history(recording)).toEqual([
      '0 8#0 loads C:\\Windows\\a.dll',
      '1 16#1 exits',
      '2 8#0 loads C:\\Windows\\c.dll',
      '2 32#2 exits',
    ]);
    expect(recording.gaps.timesBack).toBe(0);
  });

  test('2: a second GUID with the same start is the same process', () => {
    const recording = read(
      create(1, 8, 'a.exe', 4, named(8, guid(1, 0x1c17))),
      load(1.1, 8, 'a.exe', named(8, guid(1, 0x7809))),
      exit(2, 8, named(8, guid(1, 0x7809))),
    );
    expect(recording.processes.map(({ guids }) => guids.length)).toEqual([0, 2]);
    expect(recording.gaps).toEqual({
      ...NO_GAPS,
      processesBefore: 1,
      parentsBefore: 1,
      exitsNeverSeen: 1,
      guidAliases: 1,
    });
  });

  test('2 and 7: a GUID with another start is another process, and the first has exited', () => {
    const recording = read(
      load(1, 8, 'a.dll', named(8, guid(1, 1))),
      load(2, 8, 'b.dll', named(8, guid(90, 2))),
    );
    expect(history(recording)).toEqual([
      '0 8#0 loads C:\\Windows\\a.dll',
      '1 8#0 exits',
      '1 8#1 loads C:\\Windows\\b.dll',
    ]);
    expect(recording.processes.map((process) => process.exit)).toEqual(['implied', 'never']);
    expect(recording.gaps).toMatchObject({ exitsImplied: 1, idsReused: 1, processesBefore: 2 });
  });

  test('3: what a second recorder tells of a life adds what the first left out', () => {
    const recording = read(
      create(1, 8, 'a.exe', 4),
      exit(2, 8),
      security(4688, 1.01, {
        NewProcessId: '0x8',
        NewProcessName: 'D:\\other\\A.EXE',
        ProcessId: '0x4',
        CommandLine: 'a',
      }),
      security(4689, 2.01, { ProcessId: '0x8', Status: '0x1' }),
    );
    expect(history(recording)).toEqual(['0 4#0 creates 8#1', '1 8#1 exits']);
    expect(recording.processes[1]).toMatchObject({
      image: 'C:\\Windows\\a.exe',
      commandLine: 'a',
      exitStatus: 1,
    });
    expect(recording.gaps.duplicates).toBe(2);
  });

  test('3: one recorder that tells of two creations tells of two processes', () => {
    const recording = read(create(1, 8, 'a.exe', 4), create(1.5, 8, 'a.exe', 4));
    expect(history(recording)).toEqual([
      '0 4#0 creates 8#1',
      '0.5 8#1 exits',
      '0.5 4#0 creates 8#2',
    ]);
  });

  test('4: a process that is only named was there before', () => {
    const recording = read(access(1, 8, 12));
    expect(history(recording)).toEqual(['0 8#0 opens 12#1 0x1410']);
    expect(recording.gaps).toEqual({ ...NO_GAPS, processesBefore: 2, exitsNeverSeen: 2 });
  });

  test('5: a creation that comes late is put in front of what its process did', () => {
    const recording = read(
      load(1, 8, 'a.exe', { Image: 'C:\\Windows\\a.exe' }),
      access(1.1, 8, 4),
      create(1.2, 8, 'a.exe', 4),
    );
    expect(history(recording)).toEqual([
      '0 4#1 creates 8#0',
      '0 8#0 loads C:\\Windows\\a.exe',
      '0.1 8#0 opens 4#1 0x1410',
    ]);
    expect(recording.gaps).toMatchObject({ early: 1, processesBefore: 1 });
  });

  test('5 and 7: more than two seconds later it is another process of that id', () => {
    const recording = read(load(1, 8, 'a.dll'), create(3.1, 8, 'a.exe', 4));
    expect(history(recording)).toEqual([
      '0 8#0 loads C:\\Windows\\a.dll',
      '2.1 8#0 exits',
      '2.1 4#1 creates 8#2',
    ]);
  });

  test('6: what a process does after its exit is put before it', () => {
    const recording = read(create(1, 8, 'a.exe', 4), exit(2, 8), load(2.01, 8, 'late.dll'));
    expect(history(recording)).toEqual([
      '0 4#0 creates 8#1',
      '1 8#1 loads C:\\Windows\\late.dll',
      '1 8#1 exits',
    ]);
    expect(recording.gaps.late).toBe(1);
  });

  test('6: two seconds after it a bare id is a process that was there before', () => {
    const recording = read(create(1, 8, 'a.exe', 4), exit(2, 8), load(4.1, 8, 'b.dll'));
    expect(history(recording)).toEqual([
      '0 4#0 creates 8#1',
      '1 8#1 exits',
      '3.1 8#2 loads C:\\Windows\\b.dll',
    ]);
    expect(recording.gaps).toMatchObject({ late: 0, idsReused: 1 });
  });

  test('9: a creation whose parent has exited has a parent and no creator', () => {
    const recording = read(create(1, 8, 'a.exe', 4), exit(2, 8), create(3, 12, 'b.exe', 8));
    expect(history(recording)).toEqual(['0 4#0 creates 8#1', '1 8#1 exits', '2 ? creates 12#2']);
    expect(recording.processes[2]?.parent).toBe(1);
    expect(recording.gaps.parentsExited).toBe(1);
  });

  test('9: an access of processes that never were alive together is dropped', () => {
    const recording = read(exit(1, 8), create(1.5, 12, 'b.exe', 4), access(1.6, 12, 8));
    expect(history(recording)).toEqual(['0 8#0 exits', '0.5 4#1 creates 12#2']);
    expect(recording.gaps.dropped).toBe(1);
  });

  test('a process that tells of itself as its parent has none', () => {
    const recording = read(create(1, 8, 'a.exe', 8));
    expect(recording.processes[0]?.parent).toBeUndefined();
    expect(recording.gaps).toMatchObject({ parentsUnknown: 1 });
  });
});
