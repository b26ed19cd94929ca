import { describe, expect, test } from 'vitest';
import {
  access,
  create,
  exit,
  guid,
  history,
  load,
  read,
  readBytes,
  security,
  sysmon,
} from './log-text';

const LIFE = [
  create(1, 100, 'a.exe', 50, { CommandLine: 'a -x', User: 'HOST\\u', TerminalSessionId: '1' }),
  access(1.001, 50, 100, { GrantedAccess: '0x1fffff' }),
  load(1.002, 100, 'a.exe'),
  load(1.003, 100, 'ntdll.dll'),
  exit(2, 100),
];
const HISTORY = [
  '0 50#0 creates 100#1',
  '0.001 50#0 opens 100#1 0x1fffff',
  '0.002 100#1 loads C:\\Windows\\a.exe',
  '0.003 100#1 loads C:\\Windows\\ntdll.dll',
  '1 100#1 exits',
];

describe('a log of events', () => {
  test('gives processes with what their creation tells, and events in order', () => {
    const recording = read(...LIFE);
    expect(history(recording)).toEqual(HISTORY);
    expect(recording.processes).toEqual([
      {
        index: 0,
        id: 50,
        guids: [],
        image: 'C:\\Windows\\parent.exe',
        birth: 'before',
        exit: 'never',
        threads: [51],
      },
      {
        index: 1,
        id: 100,
        guids: [],
        image: 'C:\\Windows\\a.exe',
        commandLine: 'a -x',
        user: 'HOST\\u',
        session: 1,
        parent: 0,
        birth: 'recorded',
        exit: 'recorded',
        threads: [],
      },
    ]);
    expect(recording).toMatchObject({
      name: 'log',
      host: 'HOST',
      startMs: Date.UTC(2024, 4, 1, 10, 0, 1),
      durationNs: 1e9,
      records: 5,
      counts: { 'process-create': 1, 'process-exit': 1, 'image-load': 2, 'process-access': 1 },
      warnings: [],
    });
  });

  test('may be an array, in one line or in many, with a byte order mark', () => {
    const records = LIFE.map((text) => JSON.parse(text));
    const encode = (text: string) => new TextEncoder().encode(text);
    expect(history(readBytes(encode(JSON.stringify(records))))).toEqual(HISTORY);
    expect(history(readBytes(encode(`\ufeff${JSON.stringify(records, null, 2)}\n`)))).toEqual(
      HISTORY,
    );
    expect(history(readBytes(encode(LIFE.join('').replaceAll('\n', '\r\n'))))).toEqual(HISTORY);
  });

  test('is the same wherever its bytes are cut', () => {
    const bytes = new TextEncoder().encode(
      create(1, 8, 'ä.exe', 4, { CommandLine: '"{\\[ €' }) + exit(2, 8),
    );
    const whole = readBytes(bytes);
    expect(whole.processes[1]?.commandLine).toBe('"{\\[ €');
    expect(readBytes(bytes, 1)).toEqual(whole);
    expect(readBytes(bytes, 7)).toEqual(whole);
  });

  test('of Security events has hexadecimal ids and exit statuses', () => {
    const recording = read(
      security(4688, 1, {
        NewProcessId: '0x64',
        NewProcessName: 'C:\\a.exe',
        ProcessId: '0x32',
        ParentProcessName: 'C:\\p.exe',
        CommandLine: 'a',
        SubjectUserName: 'u',
        SubjectDomainName: 'D',
        TargetUserName: '-',
      }),
      security(4689, 2, { ProcessId: '0x64', ProcessName: 'C:\\a.exe', Status: '0xc0000005' }),
    );
    expect(history(recording)).toEqual(['0 50#0 creates 100#1', '1 100#1 exits']);
    expect(recording.processes[1]).toMatchObject({
      image: 'C:\\a.exe',
      user: 'D\\u',
      exitStatus: 0xc0000005,
    });
  });

  test('has remote threads with where they start, and drivers', () => {
    const recording = read(
      sysmon(6, 1, { ImageLoaded: 'C:\\d.sys' }),
      sysmon(8, 2, {
        SourceProcessGuid: guid(1, 1),
        SourceProcessId: 10,
        TargetProcessGuid: guid(2, 2),
        TargetProcessId: 20,
        NewThreadId: '24',
        StartAddress: '0x00007FFB12345678',
        StartModule: '-',
        StartFunction: 'LoadLibraryA',
      }),
    );
    expect(history(recording)).toEqual(['0 driver C:\\d.sys', '1 10#1 starts 24 in 20#0']);
    expect(recording.events[1]).toMatchObject({
      start: { address: 0x7ffb12345678n, module: undefined, function: 'LoadLibraryA' },
    });
    expect(recording.processes.map(({ threads }) => threads)).toEqual([[24], []]);
  });

  test.each([
    [
      'evtx_dump',
      {
        Event: {
          System: {
            Provider: { '#attributes': { Name: 'Microsoft-Windows-Sysmon' } },
            EventID: { '#attributes': { Qualifiers: 0 }, '#text': 5 },
            TimeCreated: { '#attributes': { SystemTime: '2024-05-01T10:00:00.1234567Z' } },
            Channel: 'Microsoft-Windows-Sysmon/Operational',
            Computer: 'HOST',
          },
          EventData: { ProcessId: 100, ProcessGuid: '11111111-0001-6632-0001-000000000300' },
        },
      },
      456_700,
    ],
    [
      'Winlogbeat',
      {
        '@timestamp': '2024-05-01T12:00:00.123+02:00',
        winlog: {
          provider_name: 'Microsoft-Windows-Sysmon',
          event_id: '5',
          channel: 'Microsoft-Windows-Sysmon/Operational',
          computer_name: 'HOST',
          event_data: { ProcessId: '100', ProcessGuid: guid(1, 1) },
        },
      },
      0,
    ],
    [
      'ConvertTo-Json',
      {
        ProviderName: 'Microsoft-Windows-Sysmon',
        Id: 5,
        LogName: 'Microsoft-Windows-Sysmon/Operational',
        MachineName: 'HOST',
        TimeCreated: `/Date(${Date.UTC(2024, 4, 1, 10, 0, 0, 123)})/`,
        ProcessId: '100',
        ProcessGuid: guid(1, 1),
      },
      0,
    ],
  ])('as %s writes it is read too', (_, record, startNs) => {
    const recording = read(JSON.stringify(record));
    expect(history(recording)).toEqual(['0 100#0 exits']);
    expect(recording.startMs).toBe(Date.UTC(2024, 4, 1, 10, 0, 0, 123));
    expect(recording.startNs).toBe(startNs);
    expect(recording.host).toBe('HOST');
    expect(recording.processes[0]?.guids).toEqual(['11111111-0001-6632-0001-000000000300']);
  });

  test('counts what is nothing to the process manager', () => {
    const recording = read(...LIFE, sysmon(11, 3, {}), sysmon(11, 3, {}), '{}');
    expect([...recording.skipped]).toEqual([
      ['Microsoft-Windows-Sysmon 11', 2],
      ['no event', 1],
    ]);
  });

  test('of several machines is that of the first, or of the one asked for', () => {
    const other = LIFE.map((text) => text.replace('"HOST"', '"OTHER"'));
    const recording = read(...LIFE, ...other);
    expect(history(recording)).toEqual(HISTORY);
    expect([...recording.otherHosts]).toEqual([['OTHER', 5]]);
  });
});
