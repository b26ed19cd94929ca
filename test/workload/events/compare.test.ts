import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareEvents, type EventMapping } from '../../../src/workload/events/compare';
import { longestIncreasing } from '../../../src/workload/events/increasing';
import type { EventRecording } from '../../../src/workload/events/model';
import { access, create, exit, load, read, security, sysmon } from './log-text';

/** An observed process stands for the recorded one whose id is 1000 lower; threads likewise. */
function mappingOf(recorded: EventRecording, observed: EventRecording): EventMapping {
  return {
    process: (index) => {
      const id = observed.processes[index]?.id ?? 0;
      const found = recorded.processes.findIndex((process) => process.id === id - 1000);
      return found === -1 ? undefined : found;
    },
    thread: (_, thread) => thread - 1000,
  };
}

function differences(recorded: string[], observed: string[]): string[] {
  const [a, b] = [read(...recorded), read(...observed)];
  const { differences: found } = compareEvents(a, b, mappingOf(a, b));
  return found.map(({ difference, text, line }) => `${difference} ${line ?? '-'}: ${text}`);
}

const RECORDED = [
  create(1, 8, 'a.exe', 4, { CommandLine: 'a' }),
  access(1.1, 4, 8),
  load(1.2, 8, 'a.exe'),
  load(1.3, 8, 'ntdll.dll'),
  load(1.4, 8, 'b.dll'),
  exit(2, 8),
];
const OBSERVED = [
  create(5, 1008, 'A.EXE', 1004, { CommandLine: 'a' }),
  access(5.1, 1004, 1008),
  load(5.2, 1008, 'a.exe'),
  load(5.3, 1008, 'ntdll.dll'),
  load(5.4, 1008, 'b.dll'),
  exit(6, 1008),
];

describe('compareEvents', () => {
  test('finds nothing where only ids, times and the case of paths differ', () => {
    const [a, b] = [read(...RECORDED), read(...OBSERVED)];
    expect(compareEvents(a, b, mappingOf(a, b))).toEqual({
      paired: 6,
      equal: 6,
      differences: [],
      unrecorded: new Map(),
    });
  });

  test('names what is missing, what is not recorded, and what is of no recorded process', () => {
    expect(
      differences(RECORDED, [
        ...OBSERVED.slice(0, 4),
        load(5.5, 1008, 'c.dll'),
        create(5.6, 1012, 'd.exe', 1008),
      ]),
    ).toEqual([
      'missing 5: the load of b.dll by a.exe (8) did not happen',
      'missing 6: the exit of a.exe (8) did not happen',
      'extra -: the load of c.dll by a.exe (8) is not recorded',
      'extra -: the creation of a process that the recording has not is not recorded',
    ]);
  });

  test('names details that differ', () => {
    const recorded = [...RECORDED.slice(0, 5), security(4689, 2, { ProcessId: 8, Status: '0x1' })];
    expect(
      differences(recorded, [
        create(5, 1016, 'x.exe', 1004),
        create(5, 1008, 'z.exe', 1016, { CommandLine: 'z' }),
        access(5.1, 1004, 1008, { GrantedAccess: '0x1400', SourceThreadId: 1007 }),
        load(5.2, 1008, 'a.exe'),
        load(5.3, 1008, 'ntdll.dll'),
        load(5.4, 1008, 'sub\\b.dll'),
        security(4689, 6, { ProcessId: 1008, Status: '0xc0000005' }),
      ]),
    ).toEqual([
      'changed 1: the creation of a.exe (8) has image C:\\Windows\\z.exe, recorded is C:\\Windows\\a.exe',
      'changed 1: the creation of a.exe (8) has command line z, recorded is a',
      'changed 1: the creation of a.exe (8) has parent a process that the recording has not, recorded is parent.exe (4)',
      'changed 2: the opening of a.exe (8) by parent.exe (4) has granted access 0x1400, recorded is 0x1410',
      'changed 2: the opening of a.exe (8) by parent.exe (4) has thread 7, recorded is 5',
      'changed 5: the load of b.dll by a.exe (8) has path C:\\Windows\\sub\\b.dll, recorded is C:\\Windows\\b.dll',
      'changed 6: the exit of a.exe (8) has exit status 0xc0000005, recorded is 0x1',
      'extra -: the creation of a process that the recording has not is not recorded',
    ]);
  });

  test('names the fewest events that are not in the recorded order', () => {
    const [first, opened, exe, ntdll, dll, last] = OBSERVED as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const late = opened.replace(':05.100', ':05.900');
    expect(differences(RECORDED, [first, exe, ntdll, dll, late, last])).toEqual([
      'moved 2: the opening of a.exe (8) by parent.exe (4) is not in the recorded order',
    ]);
  });

  test('leaves out what the recorder does not tell', () => {
    const [a, b] = [
      read(create(1, 8, 'a.exe', 4), exit(2, 8)),
      read(
        create(5, 1008, 'a.exe', 1004, { CommandLine: 'seen' }),
        sysmon(8, 5, { SourceProcessId: 1008, TargetProcessId: 1008, NewThreadId: 1012 }),
        access(5, 1004, 1008),
        load(5, 1008, 'a.exe'),
        security(4689, 6, { ProcessId: 1008, Status: 1 }),
      ),
    ];
    expect(compareEvents(a, b, mappingOf(a, b))).toEqual({
      paired: 2,
      equal: 2,
      differences: [],
      unrecorded: new Map([
        ['thread-create', 1],
        ['process-access', 1],
        ['image-load', 1],
      ]),
    });
  });

  test('of loads leaves out the executable and ntdll.dll of a process whose loads are not recorded', () => {
    const recorded = [create(1, 8, 'a.exe', 4), load(1.2, 4, 'x.dll')];
    expect(
      differences(recorded, [
        create(5, 1008, 'a.exe', 1004),
        load(5.1, 1008, 'a.exe'),
        load(5.2, 1008, 'ntdll.dll'),
        load(5.3, 1008, 'y.dll'),
        load(5.4, 1004, 'x.dll'),
      ]),
    ).toEqual(['extra -: the load of y.dll by a.exe (8) is not recorded']);
  });
});

describe('longestIncreasing', () => {
  test.each([
    [[], []],
    [[5], [0]],
    [
      [1, 2, 3],
      [0, 1, 2],
    ],
    [[3, 2, 1], [2]],
    [
      [4, 0, 5, 1, 2, 6],
      [1, 3, 4, 5],
    ],
  ])('of %j is at %j', (values, places) => {
    expect(longestIncreasing(values)).toEqual(places);
  });

  test('is increasing, and no selection is longer', () => {
    const shuffled = fc
      .integer({ min: 0, max: 8 })
      .chain((n) => fc.shuffledSubarray([...Array(n).keys()], { minLength: n }));
    const lengthOfBest = (values: readonly number[]) =>
      [...Array(1 << values.length).keys()]
        .map((mask) => values.filter((_, bit) => (mask >> bit) & 1))
        .filter((chosen) => chosen.every((v, i) => i === 0 || (chosen[i - 1] as number) < v))
        .reduce((most, { length }) => Math.max(most, length), 0);
    fc.assert(
      fc.property(shuffled, (values) => {
        const selected = longestIncreasing(values);
        const chosen = selected.map((place) => values[place] as number);
        expect(chosen).toEqual([...chosen].sort((a, b) => a - b));
        expect(selected).toEqual([...selected].sort((a, b) => a - b));
        expect(selected.length).toBe(lengthOfBest(values));
      }),
    );
  });
});
