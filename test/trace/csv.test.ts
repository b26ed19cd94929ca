import { expect, test } from 'vitest';
import { Machine } from '../../src/machine/machine';
import { CsvWriter } from '../../src/trace/csv';
import { machineNames, traceWriterFor } from '../../src/trace/output';
import { playScene } from './scene';

const csv = async (process?: string) =>
  new TextDecoder().decode(await playScene((names, write) => new CsvWriter(names, write), process));

test('a CSV trace has a head and a line a record', async () => {
  const lines = (await csv()).split('\r\n');
  expect(lines[0]).toBe(
    'time_ns,processor,event,thread_id,thread,process_id,process,other_id,other,priority,other_priority,detail',
  );
  expect(lines.at(-1)).toBe('');
  expect(lines.slice(1, -1)).toMatchInlineSnapshot(`
    [
      "0,0,processStart,,,4,process 1,,,,,base priority 8; group 0; node 0",
      "0,0,processStart,,,8,demo,,,,,base priority 8; group 0; node 0",
      "0,0,threadStart,12,b,8,demo,,,8,,ideal processor 0",
      "0,0,threadStart,16,a,8,demo,,,8,,ideal processor 0",
      "0,0,ready,16,a,8,demo,,,8,,Standby on 0; increment 0; waited 0 ns",
      "0,0,contextSwitch,,,,,16,a,0,8,",
      "6000,0,priority,12,b,8,demo,,,9,8,Unwait",
      "6000,0,ready,12,b,8,demo,16,a,9,,Standby on 0; increment 1; waited 6000 ns",
      "6000,0,contextSwitch,16,a,8,demo,12,b,8,9,Ready WrPreempted; quantum left 31245000 ns",
      "6000,0,ready,16,a,8,demo,,,8,,Ready on 0; increment 0; waited 0 ns",
      "7200,0,contextSwitch,12,b,8,demo,16,a,9,8,Waiting Executive; quantum left 31250000 ns",
      "8400,0,mark,16,a,8,demo,,,,,7 0",
      "13600,0,threadEnd,16,a,8,demo,,,,,status 0x0",
      "13600,0,contextSwitch,16,a,8,demo,,,8,0,Terminated WrPreempted; quantum left 31240000 ns",
      "13600,0,threadTotals,16,a,8,demo,,,,,ran 10000 ns; 2 switches; 0 migrations",
    ]
  `);
});

test('a name with commas, quotes and line breaks is one cell', async () => {
  const lines = (await csv('a "b", c\nd')).split('\r\n');
  expect(lines[2]).toBe(
    '0,0,processStart,,,8,"a ""b"", c\nd",,,,,base priority 8; group 0; node 0',
  );
});

test('a trace that has ended takes no more', () => {
  const writer = new CsvWriter({ thread: () => undefined, process: () => undefined }, () => {});
  writer.end();
  expect(() => writer.end()).toThrow('CsvWriter: end was called twice');
});

test('the suffix of a file tells the format, and another is an error that names them', () => {
  const names = { thread: () => undefined, process: () => undefined };
  expect(traceWriterFor('a.csv', names, () => {})).toBeInstanceOf(CsvWriter);
  expect(() => traceWriterFor('a.json', names, () => {})).toThrow(
    "'a.json': which format is meant? Let the name end in one of .pftrace, .perfetto-trace, .csv",
  );
});

test("a machine's own names are those its threads were made with", async () => {
  const machine = await Machine.create();
  expect([machineNames(machine).thread(1), machineNames(machine).process(1)]).toEqual([
    'balance set manager',
    'System',
  ]);
});
