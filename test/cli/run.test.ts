import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the built command. */
function ntps(args: readonly string[], input = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ['build/cli.js', ...args], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
    child.stdin?.end(input);
  });
}

const SMALL = '{ "tasks": { "t": { "instance": 2, "loop": 3, "run": 2000, "sleep": 1000 } } }';

test.each([
  'control-loops',
  'media-player',
  'parallel-solver',
])('the example %s runs under every policy', async (name) => {
  const { code, out, err } = await ntps(['run', `examples/workloads/${name}.json`, '--top', '2']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(
    /digest nt [0-9a-f]{16}\ndigest fifo [0-9a-f]{16}\ndigest rr [0-9a-f]{16}\n$/,
  );
  expect(out).not.toMatch(/waits for ever|limit of steps|no room/);
});

test('a workload comes from standard input, and leaves as JSON', async () => {
  const { code, out } = await ntps(
    ['run', '-', '--json', '--policy', 'nt', '--processors', '1'],
    SMALL,
  );
  const { workload, reports } = JSON.parse(out);
  expect(code).toBe(0);
  expect(workload).toEqual({ name: '<stdin>', durationNs: null, tasks: 1, notes: [] });
  expect(reports.length).toBe(1);
  expect(reports[0]).toMatchObject({
    policy: 'nt',
    stopped: 'idle',
    tasks: [{ name: 't', threads: 2 }],
    threads: [{ name: 't-0' }, { name: 't-1' }],
    processors: [{ processor: 0 }],
    timerResolutionNs: 15_625_000,
  });
});

test('the duration and the timer resolution can be given on the command line', async () => {
  const endless = '{ "tasks": { "t": { "run": 100, "sleep": 400 } } }';
  const flags = ['--json', '--policy', 'nt', '--duration', '1', '--timer-resolution', '500'];
  const { out } = await ntps(['run', '-', ...flags], endless);
  expect(JSON.parse(out).reports[0]).toMatchObject({
    stopped: 'time',
    endNs: 1e9,
    timerResolutionNs: 500_000,
  });
});

test.each([
  [
    '{ "tasks": { "t": { "slep": 1 } } }',
    [],
    '<stdin>:1:21: unknown key "slep" in task "t"; possible',
  ],
  ['{', [], '<stdin>:1:2: the "}" of an object is missing; correct'],
  ['{ "tasks": { "t": { "run": 1 } } }', [], '<stdin>:1:14: task "t" loops for ever, and'],
  [
    SMALL,
    ['--live-threads', '1'],
    '<stdin>:1:14: the tasks have 2 threads, and there is room for 1; lower "instance", or raise --live-threads',
  ],
])('%s is refused in one line', async (text, flags, message) => {
  const { code, out, err } = await ntps(['run', '-', ...flags], text);
  expect({ code, out, lines: err.trimEnd().split('\n').length }).toEqual({
    code: 1,
    out: '',
    lines: 1,
  });
  expect(err).toContain(`ntps: ${message}`);
});

test('a file that is not there, or is none, is named', async () => {
  expect((await ntps(['run', 'absent.json'])).err).toBe(
    'ntps: absent.json:1:1: there is no such file; check its name\n',
  );
  expect((await ntps(['run', 'examples'])).err).toMatch(
    /^ntps: examples:1:1: the file cannot be read \(EISDIR.*\); name a file\n$/,
  );
});

test('threads that wait for ever are named with what they wait for', async () => {
  const text = `{ "tasks": {
    "a": { "loop": 1, "lock": "x", "run": 1000, "lock1": "y" },
    "b": { "loop": 1, "lock": "y", "run": 1000, "lock1": "x" }
  } }`;
  const { code, out } = await ntps(['run', '-', '--policy', 'nt'], text);
  expect(code).toBe(0);
  expect(out).toContain(
    'nt: a-0 waits for ever, for mutex "y"\nnt: b-1 waits for ever, for mutex "x"\n',
  );
});

test('what the first policy did goes to a trace file, threads by their names', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ntps-run-'));
  try {
    const text = `{ "tasks": {
      "parent": { "loop": 2, "fork": "child", "run": 1000 },
      "child": { "instance": 0, "loop": 1, "run": 500 }
    } }`;
    const path = join(folder, 'run.csv');
    expect(await ntps(['run', '-', '--out', path], text)).toMatchObject({ code: 0, err: '' });
    const csv = readFileSync(path, 'utf8');
    for (const name of ['<stdin>', 'parent-0', 'child-fork-0', 'child-fork-1']) {
      expect(csv).toContain(name);
    }
    expect(csv).not.toContain('child-fork-2');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('no trace file is left when the workload is refused', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ntps-run-'));
  try {
    const bad = '{ "tasks": { "t": { "loop": 1, "unlock": "m" } } }';
    const { code } = await ntps(['run', '-', '--out', join(folder, 'run.pftrace')], bad);
    expect([code, readdirSync(folder)]).toEqual([1, []]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const EVENTS = 'examples/recordings/workstation.events.jsonl.gz';
const WORKLOAD = 'examples/workloads/media-player.json';
const SCENE = 'examples/subsystem/pipeline.mjs';

test.each([
  [[WORKLOAD, '--driver', 'absent.js'], '--driver goes with --events, not with a workload'],
  [[SCENE, '--driver', 'absent.js'], '--driver goes with --events, not with a scene'],
  [[WORKLOAD, '--host', 'a'], '--host goes with --events, not with a workload'],
  [[SCENE, '--export', 'absent/a'], '--export goes with --events, not with a scene'],
  [['--events', EVENTS, '--policy', 'nt'], '--policy goes with a workload, not with --events'],
  [[SCENE, '--duration', '1'], '--duration goes with a workload, not with a scene'],
  [
    [SCENE, '--timer-resolution', '500'],
    '--timer-resolution goes with a workload, not with a scene',
  ],
  [[SCENE, '--live-threads', '9'], '--live-threads goes with a workload, not with a scene'],
  [
    ['--events', EVENTS, '--out', 'absent/a.csv'],
    '--out goes with a workload or a scene, not with --events',
  ],
  [
    ['--events', EVENTS, '--max-events', '9'],
    '--max-events goes with a workload or a scene, not with --events',
  ],
  [[SCENE, '--top', '3'], '--top goes with a workload or --events, not with a scene'],
  [[SCENE, '--json'], '--json goes with a workload or --events, not with a scene'],
])('run %o is refused: the option would do nothing', async (args, message) => {
  expect(await ntps(['run', ...args])).toEqual({
    code: 1,
    out: '',
    err: `ntps: run: ${message}\n`,
  });
});
