import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Runs the built command. */
function ntps(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['build/cli.js', ...args], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

/** Runs the command on a scene with this text, in a folder of its own. */
async function runText(text: string, ...flags: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'ntps-scene-'));
  try {
    const file = join(folder, 'scene.mjs');
    writeFileSync(file, text);
    const outcome = await ntps('run', file, ...flags.map((flag) => flag.replace('DIR', folder)));
    return { ...outcome, files: readdirSync(folder) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the example pipeline shows what callbacks are told of Linux and of Win32', async () => {
  const { code, out, err } = await ntps('run', 'examples/subsystem/pipeline.mjs');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const lines = out.split('\n');
  expect(lines).toContain(
    '     ImageFileName "/bin/sh", CommandLine "sh\\u0000-c\\u0000seq 3 | rev"',
  );
  expect(lines.filter((line) => line.startsWith('pid 3'))).toEqual([
    'pid 3 writes "1 enil\\n"',
    'pid 3 writes "2 enil\\n"',
    'pid 3 writes "3 enil\\n"',
  ]);
  expect(lines.filter((line) => /^Ex2.*(begins|ends)/.test(line))).toEqual([
    'Ex2: process 12 of 4 begins, IsSubsystemProcess true',
    'Ex2: process 20 of 12 begins, IsSubsystemProcess true',
    'Ex2: process 28 of 12 begins, IsSubsystemProcess true',
    'Ex2: process 20 ends with 0',
    'Ex2: process 28 ends with 0',
    'Ex2: process 12 ends with 0',
    'Ex2: process 20 of 4 begins, IsSubsystemProcess false',
    'Ex2: process 20 ends with 0',
  ]);
  expect(lines.filter((line) => /^(Ex|legacy|image):/.test(line))).toEqual([
    'Ex: process 20 begins',
    'legacy: process 20 begins',
    'image: 20 loads notepad.exe',
    'image: 20 loads ntdll.dll',
    'image: 20 loads kernel32.dll',
    'image: 20 loads kernelbase.dll',
    'Ex: process 20 ends',
    'legacy: process 20 ends',
  ]);
  expect(lines.at(-2)).toMatch(/^digest [0-9a-f]{16}$/);
});

test('a scene is the same run twice, and leaves its trace in a file', async () => {
  const text = `export default (ntps) => ({
    machine: { processors: 1 },
    start(machine) {
      const body = machine.loadProgram(ntps.program('p', (p) => p.compute(5_000_000)));
      machine.createProcess({ name: 'app' }).createThread(body);
    },
  });`;
  const first = await runText(text, '--out', 'DIR/trace.csv', '--processors', '2');
  const second = await runText(text, '--processors', '2');
  expect(first.out).toMatch(/^ended: idle at \d+\.\d{3} ms\ndigest [0-9a-f]{16}\n$/);
  expect(first.out).toBe(second.out);
  expect(first.files).toEqual(['scene.mjs', 'trace.csv']);
});

test('a bugcheck is told with its cause, and fails', async () => {
  const text = `export default {
    start(machine) {
      machine.systemProcess.createThread(function* () { throw new Error('lost'); });
    },
  };`;
  const { code, out } = await runText(text);
  expect(code).toBe(1);
  expect(out).toMatch(/^bugcheck SYSTEM_THREAD_EXCEPTION_NOT_HANDLED at .*\n.*\nlost\n/);
});

test.each([
  ['export default 3;', /its default export is no scene; export \{ machine, start \}/],
  ['export default {', /this is no JavaScript module/],
])('what is no scene is refused: %s', async (text, message) => {
  const { code, err } = await runText(text);
  expect(code).toBe(1);
  expect(err).toMatch(message);
});
