import { describe, expect, test } from 'vitest';
import type { EventRecording } from '../../../src/workload/events/model';
import { writeEvents } from '../../../src/workload/events/write';
import { access, create, exit, guid, load, read, sysmon } from './log-text';
import { hasSharedRecording, sharedRecording } from './shared';

const again = (recording: EventRecording): EventRecording => read(...writeEvents(recording));

/** What is of the events, not of the file that they stood in. */
function contents({ processes, events, ...recording }: EventRecording) {
  const { host, startMs, startNs, durationNs, counts } = recording;
  return {
    ...{ host, startMs, startNs, durationNs, counts },
    processes: processes.map(({ guids, ...process }) => ({ ...process, guid: guids[0] })),
    events: events.map((event) => ({ ...event, line: 0 })),
  };
}

test('a recording is written as one line an event, in the fields of Sysmon', () => {
  const recording = read(
    create(1, 8, 'a.exe', 4, {
      ProcessGuid: guid(1, 8),
      CommandLine: 'a',
      User: 'U',
      TerminalSessionId: 1,
    }),
    sysmon(8, 1.5, {
      SourceProcessId: 4,
      TargetProcessId: 8,
      TargetProcessGuid: guid(1, 8),
      NewThreadId: 12,
      StartAddress: '0x10',
    }),
  );
  expect([...writeEvents(recording)].map((line) => JSON.parse(line))).toEqual([
    {
      SourceName: 'ntps',
      Channel: 'ntps/Processes',
      Hostname: 'HOST',
      TimeCreated: '2024-05-01T10:00:01.000Z',
      EventID: 'ProcessCreate',
      ProcessGuid: '{11111111-0001-6632-0008-000000000300}',
      ProcessId: 8,
      Image: 'C:\\Windows\\a.exe',
      CommandLine: 'a',
      User: 'U',
      TerminalSessionId: 1,
      ParentProcessId: 4,
      ParentImage: 'C:\\Windows\\parent.exe',
    },
    {
      SourceName: 'ntps',
      Channel: 'ntps/Processes',
      Hostname: 'HOST',
      TimeCreated: '2024-05-01T10:00:01.500Z',
      EventID: 'ThreadCreate',
      SourceProcessId: 4,
      SourceImage: 'C:\\Windows\\parent.exe',
      TargetProcessGuid: '{11111111-0001-6632-0008-000000000300}',
      TargetProcessId: 8,
      TargetImage: 'C:\\Windows\\a.exe',
      NewThreadId: 12,
      StartAddress: '0x10',
    },
  ]);
});

describe('what has been written reads as what it was', () => {
  test('every kind of event, to the ns', () => {
    const recording = read(
      sysmon(6, 0.5, { ImageLoaded: 'C:\\d.sys' }).replace('.500Z', '.123456789Z'),
      create(1, 8, 'a.exe', 4, { CommandLine: 'a "b"\n', ParentThreadId: 20 }),
      load(1.1, 8, 'a.exe', { ThreadId: 24 }),
      access(1.2, 4, 8),
      exit(1.3, 8, { ThreadId: 24, ExitStatus: '0xc0000005' }),
    );
    const own = [...writeEvents(recording)].join('');
    expect(own).toContain('"TimeCreated":"2024-05-01T10:00:00.123456789Z"');
    expect(contents(again(recording))).toEqual(contents(recording));
  });

  test.skipIf(!hasSharedRecording)('a recording of Windows 10', () => {
    const recording = sharedRecording();
    const { gaps } = again(recording);
    expect(contents(again(recording))).toEqual(contents(recording));
    expect(gaps).toEqual({ ...recording.gaps, duplicates: 0, guidAliases: 0, late: 0 });
  });
});
