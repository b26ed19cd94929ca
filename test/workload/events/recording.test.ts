import { describe, expect, test } from 'vitest';
import type { ProcessEvent } from '../../../src/workload/events/model';
import { hasSharedRecording, sharedRecording } from './shared';

const ALL_ACCESS = 0x1fffff;

/** The events of each new process in short: what it loads, and who opens it first. */
function lives(): string[][] {
  const { processes, events } = sharedRecording();
  const told = processes.map((): string[] => []);
  for (const event of events) {
    if (event.kind === 'image-load') told[event.process]?.push(fileName(event.image));
    else if (event.kind === 'process-access') told[event.target]?.push(opened(event));
    else if ('process' in event) told[event.process]?.push(event.kind);
  }
  return told.filter((_, index) => processes[index]?.birth === 'recorded');
}

const fileName = (path: string) => path.slice(path.lastIndexOf('\\') + 1).toLowerCase();

function opened({ source, target, grantedAccess }: ProcessEvent & { kind: 'process-access' }) {
  const { processes } = sharedRecording();
  const by =
    processes[target]?.parent === source ? 'parent' : fileName(processes[source]?.image ?? '');
  return `${by} ${grantedAccess === ALL_ACCESS ? 'all' : grantedAccess.toString(16)}`;
}

describe.skipIf(!hasSharedRecording)(
  'a recording of Windows 10 by Sysmon and the Security log',
  () => {
    test('has 2,611 records, of which these are process events', () => {
      const { counts, records, durationNs, warnings, processes } = sharedRecording();
      expect({ records, processes: processes.length, durationNs, warnings }).toEqual({
        records: 2611,
        processes: 159,
        durationNs: 50_970_000_000,
        warnings: [],
      });
      expect(counts).toEqual({
        'process-create': 37,
        'process-exit': 36,
        'thread-create': 0,
        'thread-exit': 0,
        'image-load': 911,
        'driver-load': 0,
        'process-access': 1094,
      });
    });

    test('knows the creation of 37 of 159 processes, and the creation of the parents of 8 of them', () => {
      expect(sharedRecording().gaps).toEqual({
        processesBefore: 122,
        parentsBefore: 29,
        parentsUnknown: 0,
        parentsExited: 0,
        exitsNeverSeen: 123,
        exitsImplied: 0,
        dropped: 0,
        late: 1,
        early: 0,
        duplicates: 72,
        guidAliases: 33,
        timesBack: 0,
        idsReused: 0,
      });
    });

    test('37 of 37 new processes load their executable, then ntdll.dll, before anything else', () => {
      const { processes } = sharedRecording();
      const images = processes
        .filter(({ birth }) => birth === 'recorded')
        .map(({ image }) => image);
      const loads = lives().map((life) =>
        life.filter((what) => what.includes('.') && !what.includes(' ')),
      );
      expect(loads.map(([first]) => first)).toEqual(images.map((image) => fileName(image ?? '')));
      expect(loads.filter(([, second]) => second === 'ntdll.dll').length).toBe(37);
    });

    test('36 of 37 then load kernel32.dll and kernelbase.dll; one is of 32 bits and loads a second ntdll.dll', () => {
      const thirds = lives().map((life) => {
        const at = life.indexOf('ntdll.dll');
        return `${life[at + 1]} ${life[at + 2]}`;
      });
      expect(thirds.filter((both) => both === 'kernel32.dll kernelbase.dll').length).toBe(36);
      expect(thirds.filter((both) => both === 'ntdll.dll wow64.dll').length).toBe(1);
    });

    test('a creation is the first event of its process, and an exit the last', () => {
      const all = lives();
      expect(all.filter(([first]) => first === 'process-create').length).toBe(37);
      expect(all.filter((life) => life.at(-1) === 'process-exit').length).toBe(36);
    });

    test('its creator opens a new process with all access before it loads anything, csrss.exe likewise', () => {
      const all = lives();
      expect(all.filter(([, second]) => second === 'parent all').length).toBe(29);
      expect(all.filter((life) => life.includes('csrss.exe all')).length).toBe(37);
      const beforeLoads = all.filter(
        (life) => life.indexOf('csrss.exe all') < life.indexOf('ntdll.dll'),
      );
      expect(beforeLoads.length).toBe(30);
    });

    test('of 36 exit statuses, which the Security log alone has, 26 are 0', () => {
      const { processes } = sharedRecording();
      const statuses = processes
        .flatMap(({ exitStatus }) => exitStatus ?? [])
        .sort((a, b) => a - b);
      expect(statuses.filter((status) => status !== 0)).toEqual([
        1, 1, 1, 1, 2, 2, 7, 128, 1053, 1062,
      ]);
      expect(statuses.length).toBe(36);
    });
  },
);
