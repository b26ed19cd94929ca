import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecordingError } from '../../src/workload/errors';
import { RecordingReader } from '../../src/workload/ftrace';
import { LogSink, readBytes, readText, warningsOf } from './sink';
import { event, switchTo, wakeup, waking } from './trace-text';

const GOOD = [
  '# tracer: nop\n',
  switchTo(10, 'a-1', 'S', 'b-2'),
  waking(14, 'b-2', 'a-1'),
  wakeup(15, 'b-2', 'a-1'),
  event(16, 'b-2', 'task_newtask: pid=3 comm=b clone_flags=1200000 oom_score_adj=0'),
  event(17, 'b-2', 'sched_process_fork: comm=b pid=2 child_comm=b child_pid=3'),
  event(18, 'b-2', 'sched_wakeup_new: comm=b pid=3 prio=120 target_cpu=001'),
  waking(19, '<idle>-0', 'd-4', { cpu: 1, flags: 'dNh2.' }),
  switchTo(20, 'b-2', 'R+', 'a-1'),
  'CPU:1 [LOST 12 EVENTS]\n',
  switchTo(21, 'swapper/1-0', 'R', 'b-3', { cpu: 1 }),
  event(22, 'b-3', 'task_rename: pid=3 oldcomm=b newcomm=e oom_score_adj=0', { cpu: 1 }),
  event(23, 'e-3', 'sched_process_exec: filename=e pid=3 old_pid=3', { cpu: 1 }),
  event(24, 'a-1', 'irq_handler_entry: irq=9 name=x'),
  waking(25, 'a-1', 'd-4'),
  event(26, 'a-1', 'irq_handler_exit: irq=9 ret=handled'),
  event(27, 'e-3', 'sched_process_exit: comm=e pid=3 prio=120 group_dead=true', { cpu: 1 }),
  switchTo(28, 'e-3', 'Z', 'swapper/1-0', { cpu: 1 }),
  '  a-1 [000] 0.000029: sched_switch: a:1 [120] S ==> swapper/0:0 [120]\n',
];

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Nothing but a RecordingError may come out. */
function readAny(bytes: Uint8Array): void {
  try {
    const { summary, sink } = readBytes(bytes);
    for (const thread of summary.threads) {
      expect(sink.computeNs.get(thread.thread) ?? 0).toBe(thread.runNs);
    }
    expectBalanced(sink.log);
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
  }
}

/** Every wait has one wake at most, every index is declared before its use, none used after exit. */
function expectBalanced(log: readonly string[]): void {
  const open = new Map<string, number>();
  for (const call of log) {
    const [, declared] = /^thread (\d+):/.exec(call) ?? [];
    if (declared !== undefined) {
      expect(Number(declared)).toBe(open.size);
      open.set(declared, 0);
    }
    const [, waiting] = /^(\d+) waits/.exec(call) ?? [];
    if (waiting !== undefined) open.set(waiting, (open.get(waiting) ?? Number.NaN) + 1);
    const [, woken] = / wakes (\d+)$/.exec(call) ?? [];
    if (woken !== undefined) open.set(woken, (open.get(woken) ?? Number.NaN) - 1);
    const [, actor] = /^(\d+) /.exec(call) ?? [];
    if (actor !== undefined) expect(open.has(actor)).toBe(true);
  }
  for (const waits of open.values()) expect([-1, 0, 1]).toContain(waits);
}

describe('any input', () => {
  it('the good lines are good', () => {
    const { summary } = readText(GOOD.join(''));
    expect(warningsOf(summary)).toEqual(['lost-events 1 at 10:1']);
  });

  it('random bytes end in a RecordingError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        expect(() => readBytes(bytes)).toThrow(RecordingError);
      }),
    );
  });

  it('good lines with bytes changed are read or refused', () => {
    const whole = bytesOf(GOOD.join(''));
    const change = fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        const bytes = whole.slice();
        for (const { at, byte } of changes) bytes[at] = byte;
        readAny(bytes);
      }),
      { numRuns: 500 },
    );
  });

  it('good lines in any order, repeated, left out and cut off are read or refused', () => {
    const piece = fc.tuple(fc.constantFrom(...GOOD), fc.option(fc.nat(120), { freq: 8 }));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        readAny(bytesOf(pieces.map(([line, cut]) => line.slice(0, cut ?? undefined)).join('')));
      }),
      { numRuns: 500 },
    );
  });

  it('the text may be cut into chunks anywhere', () => {
    const whole = bytesOf(GOOD.join('').repeat(20));
    const expected = readBytes(whole);
    fc.assert(
      fc.property(fc.array(fc.nat(400), { maxLength: 200 }), (lengths) => {
        const found = readBytes(whole, lengths);
        expect(found.sink.log).toEqual(expected.sink.log);
        expect(found.summary).toEqual(expected.summary);
      }),
      { numRuns: 50 },
    );
  });
});

describe('lines that are not as they should be', () => {
  const good = switchTo(10, 'a-1', 'S', 'b-2');
  const last = switchTo(30, 'b-2', 'S', 'a-1');

  it.each([
    ['no event', 'what is this\n', 'malformed-line 1 at 2:1'],
    [
      'a body without its fields',
      event(20, 'b-2', 'sched_switch: prev_comm=b'),
      'malformed-event 1 at 2:43',
    ],
    ['a negative time', '  b-2 [000] d..2. -5.000000: print: x\n', 'negative-time 1 at 2:1'],
    ['a time without a fraction', '  b-2 [000] d..2. 5: print: x\n', 'malformed-line 1 at 2:1'],
    [
      'a time out of range',
      '  b-2 [000] d..2. 999999999999.5: print: x\n',
      'malformed-line 1 at 2:1',
    ],
    ['a line that is too long', `${'x'.repeat(70_000)}\n`, 'long-line 1 at 2:1'],
  ])('%s is a warning with its place', (_, text, warning) => {
    const { summary } = readText(good + text + last);
    expect(warningsOf(summary)).toEqual([warning]);
    expect(summary.threads.map((each) => each.runNs)).toEqual([0, 20_000]);
  });

  it.each([30, 70, 120])('a last line cut off after %i bytes is a warning', (length) => {
    expect(warningsOf(readText(good + last.slice(0, length)).summary)[0]).toMatch(
      /^truncated-line 1 at 2:/,
    );
  });

  it('a line of 100 MB is skipped', () => {
    const reader = new RecordingReader(new LogSink(), { name: 'test' });
    const megabyte = new Uint8Array(1 << 20).fill(0x78);
    reader.push(bytesOf(good));
    for (let i = 0; i < 100; i++) reader.push(megabyte);
    reader.push(bytesOf(`\n${last}`));
    const summary = reader.end();
    expect(warningsOf(summary)).toEqual(['long-line 1 at 2:1']);
    expect(summary.durationNs).toBe(20_000);
  });

  it.each([
    ['brackets', '[0'.repeat(30_000)],
    ['heads', 'a-1 [000] '.repeat(6000)],
    ['arrows', `  b-2 [000] d..2. 0.000020: sched_switch: ${'==> next_comm='.repeat(4000)}`],
    ['spaces', ' '.repeat(65_000)],
  ])('a line full of %s takes no long time', (_, line) => {
    const text = `${good}${`${line}\n`.repeat(50)}${last}`;
    const start = performance.now();
    readText(text);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe('what is no recording of a schedule', () => {
  const error = (bytes: Uint8Array): string => {
    try {
      readBytes(bytes);
    } catch (thrown) {
      if (thrown instanceof RecordingError) return thrown.message;
      throw thrown;
    }
    return 'no error';
  };

  it.each([
    ['an empty file', '', 'test:1:1: the file is empty'],
    [
      'trace.dat',
      '\x17\x08\x44tracing6',
      'test:1:1: this is a binary trace-cmd file; run `trace-cmd report`',
    ],
    ['perf.data', 'PERFILE2\0\0', 'test:1:1: this is a perf.data file'],
    ['JSON', '{"traceEvents": []}', 'test:1:1: this is JSON'],
    [
      'a Perfetto trace',
      '\n\x12\x1a\0\0\x05',
      'test:1:1: this is binary data, perhaps a Perfetto trace',
    ],
    ['other binary data', 'MZ\0\0', 'test:1:1: this is binary data'],
    ['other text', 'hello\nworld\n', 'test:1:1: there is no ftrace event in it'],
    [
      'times of the counter clock',
      '\n  a-1 [000] d..2. 4711: sched_switch: x\n',
      'test:2:1: the times have no fraction',
    ],
    [
      'a recording without switches',
      event(1, 'a-1', 'print: x') + event(2, 'a-1', 'print: y') + waking(3, 'a-1', 'b-2'),
      'test:1:1: no sched_switch among its 3 events (2 print, 1 sched_waking); record one with',
    ],
  ])('%s is refused with a remedy', (_, text, message) => {
    expect(
      error(Uint8Array.from(text, (char) => char.charCodeAt(0))).slice(0, message.length),
    ).toBe(message);
  });

  it('gzip data that nobody has decompressed is refused', () => {
    expect(error(Uint8Array.of(0x1f, 0x8b, 8, 0))).toMatch(/still compressed with gzip/);
  });

  it('an endless text without events is refused early', () => {
    const reader = new RecordingReader(new LogSink(), { name: 'test' });
    const megabyte = bytesOf('hello\n'.repeat(1 << 17));
    expect(() => {
      for (;;) reader.push(megabyte);
    }).toThrow(RecordingError);
  });
});
