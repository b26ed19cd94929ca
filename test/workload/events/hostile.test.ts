import { describe, expect, test } from 'vitest';
import { RecordingError } from '../../../src/workload/errors';
import { OBJECT_BYTES_MAX } from '../../../src/workload/events/json-records';
import { create, exit, history, load, read, readBytes, sysmon } from './log-text';

const GOOD = load(1, 8, 'a.dll');
const MISSING_END = 'the end of the JSON is missing; copy the file again';
const NO_RECORD =
  'stands where a record should begin; give JSON objects, one a line or in one array';
const NOT_JSON = 'here the record stops being JSON; correct it or remove the record';
const EXPORT =
  'export the Sysmon or Security log as JSON, one event a line (evtx_dump -o jsonl, Winlogbeat)';

describe('input that is no recording of process events', () => {
  test.each([
    ['', `log:1:1: the file is empty; ${EXPORT}`],
    ['   \n\n', `log:1:1: the file is empty; ${EXPORT}`],
    ['[]', `log:1:1: the file is empty; ${EXPORT}`],
    ['{', `log:1:1: ${MISSING_END}`],
    ['\n [', `log:2:3: ${MISSING_END}`],
    ['time,pid\n1,2\n', `log:1:1: "t" ${NO_RECORD}`],
    [`${GOOD}\u00e4`, `log:2:1: byte 0xc3 ${NO_RECORD}`],
    [`${GOOD},${GOOD}`, `log:2:1: "," ${NO_RECORD}`],
    [`[${GOOD},,${GOOD}]`, `log:2:2: "," ${NO_RECORD}`],
    [`[[${GOOD}]]`, `log:1:2: "[" ${NO_RECORD}`],
    [`[${GOOD}]{}`, 'log:2:2: something follows the end of the array; remove it'],
    ['{"a": 1,}\n', `log:1:9: ${NOT_JSON}`],
    ['{"a": [01]}\n', `log:1:8: ${NOT_JSON}`],
    ['\n\n{"\u20ac": "\\x"}', `log:3:10: ${NOT_JSON}`],
    ['[{},\n{"a"\n: nul}]', `log:3:3: ${NOT_JSON}`],
    [
      '{"a": "b\n"}',
      'log:1:9: the line ends inside a text; close it with a quote; a line end in a text is written \\n',
    ],
    ['<Events></Events>', `log:1:1: this is XML; ${EXPORT}`],
    [
      'ElfFile\0more',
      'log:1:1: this is a binary event log (.evtx); run `evtx_dump -o jsonl` on it',
    ],
    ['PK\u0003\u0004more', 'log:1:1: this is a zip file; unzip it first'],
    [
      sysmon(11, 1, {}) + sysmon(11, 1, {}) + sysmon(3, 1, {}),
      `log:1:1: none of the 3 records is a process event (2 of Microsoft-Windows-Sysmon 11, 1 of Microsoft-Windows-Sysmon 3); ${EXPORT}`,
    ],
    [
      sysmon(5, 1, { ProcessId: '-1' }),
      `log:1:1: no event could be used: line 1, Microsoft-Windows-Sysmon event 5 has no usable ProcessId; ${EXPORT}`,
    ],
    [
      exit(1, 8) + exit(2, 8).replace('2024', '2034'),
      'log:2:1: this event is more than 104 days after the first; cut the recording, or look at line 1',
    ],
  ])('%j is refused with its place and a remedy', (text, message) => {
    expect(() => read(text)).toThrow(RecordingError);
    expect(() => read(text)).toThrow(expect.objectContaining({ message }));
  });

  test('UTF-16, and bytes that are no UTF-8, are told', () => {
    const utf16 = Buffer.from(`\ufeff${GOOD}`, 'utf16le');
    expect(() => readBytes(utf16)).toThrow('log:1:1: the text is UTF-16; save it as UTF-8');
    const latin1 = Buffer.from(GOOD + GOOD.replace('a.dll', '\u00e4.dll'), 'latin1');
    expect(() => readBytes(latin1)).toThrow(
      'log:2:1: this record is not UTF-8; save the file as UTF-8',
    );
  });

  test('a record without end takes no more memory than a record may have', () => {
    const deep = `${GOOD}{"a": ${'['.repeat(100)}`;
    expect(() => read(deep)).toThrow('log:2:1: this record is more than 64 deep; no event is like');
    const long = new TextEncoder().encode(`${GOOD}{"a": "${'b'.repeat(2 * OBJECT_BYTES_MAX)}"}`);
    const problem = `log:2:1: this record has more than ${OBJECT_BYTES_MAX} bytes; no event is like`;
    expect(() => readBytes(long)).toThrow(problem);
    expect(() => readBytes(long, 1000)).toThrow(problem);
  });
});

describe('input that is a recording in part', () => {
  test('counts up to where its end is missing', () => {
    const recording = read(GOOD, create(2, 12, 'b.exe', 8).slice(0, 50));
    expect(history(recording)).toEqual(['0 8#0 loads C:\\Windows\\a.dll']);
    expect(recording.warnings).toEqual([
      {
        kind: 'truncated-line',
        count: 1,
        firstLine: 2,
        firstColumn: 1,
        text: 'the end of the JSON is missing',
      },
    ]);
    expect(read(`[${GOOD},`).warnings).toMatchObject([{ kind: 'truncated-line', firstLine: 2 }]);
  });

  test('counts without the events that lack what they must have', () => {
    const recording = read(
      GOOD,
      sysmon(7, 2, { ProcessId: '8' }),
      sysmon(10, 2, { SourceProcessId: '8', TargetProcessId: '4', GrantedAccess: '0x1ffffffff' }),
      exit(2, 8).replace(':02', ':72'),
    );
    expect(history(recording)).toEqual(['0 8#0 loads C:\\Windows\\a.dll']);
    expect(recording.warnings).toEqual([
      {
        kind: 'malformed-event',
        count: 3,
        firstLine: 2,
        firstColumn: 1,
        text: 'Microsoft-Windows-Sysmon event 7 has no usable ImageLoaded',
      },
    ]);
  });

  test('names of the prototype are fields like others', () => {
    const text = '{"__proto__": {"EventID": 5}, "constructor": 1, "EventID": {"toString": 1}}\n';
    expect([...read(GOOD, text).skipped]).toEqual([['no event', 1]]);
  });
});
