import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { create, exit } from '../workload/events/log-text';

const folder = mkdtempSync(join(tmpdir(), 'ntps-events-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const run = (...options: string[]) =>
  promisify(execFile)(process.execPath, ['build/cli.js', 'run', ...options]);

const EVENTS = file('log.json', create(1, 8, 'a.exe', 4) + exit(2, 8));

test('ntps run --events replays a log, and writes what callbacks told of it', async () => {
  const out = join(folder, 'out.jsonl');
  const { stdout } = await run('--events', EVENTS, '--export', out);
  expect(stdout).toContain('replayed: 2 of 2 actions');
  expect(stdout).toContain('differences: 0\n');
  expect(readFileSync(out, 'utf8')).toContain('"EventID":"ProcessCreate"');
  const again = await run('--events', out, '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({
    recording: { host: 'ntps', counts: { 'process-create': 1, 'process-exit': 1 } },
    replay: { notDone: [], comparison: { differences: [] } },
  });
});

test('ntps run --driver loads a driver that refuses a creation', async () => {
  const driver = file(
    'driver.mjs',
    `export default (ntps) => ({
      *DriverEntry() {
        return yield* ntps.PsSetCreateProcessNotifyRoutineEx((process, id, info) => {
          if (info !== null) info.CreationStatus = ntps.STATUS.ACCESS_DENIED;
        }, false);
      },
    });`,
  );
  const { stdout } = await run('--events', EVENTS, '--driver', driver);
  expect(stdout).toContain(
    'driver driver: DriverEntry returned 0x00000000; at the end it is loaded\n',
  );
  expect(stdout).toContain('not done: line 1, create: was refused with 0xc0000022\n');
});

test('ntps run --driver unloads a driver at the end, and tells what it left', async () => {
  const driver = file(
    'leaves.mjs',
    `export default (ntps) => ({
      *DriverEntry() {
        return yield* ntps.PsSetCreateThreadNotifyRoutine(function onThread() {});
      },
      DriverUnload() {},
    });`,
  );
  await expect(run('--events', EVENTS, '--driver', driver)).rejects.toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      /\nDRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS \(ce\)\n.*\nCAUSE: +DriverUnloadError: driver 'leaves' was unloaded and left thread-notify routine leaves!onThread\n/s,
    ),
  });
});

const MIMIKATZ = file('mimikatz.json', create(1, 8, 'mimikatz.exe', 4) + exit(2, 8));

test('examples/drivers/refuse.js does not let an executable run', async () => {
  const { stdout } = await run('--events', MIMIKATZ, '--driver', 'examples/drivers/refuse.js');
  expect(stdout).toMatch(/^refuse: process \d+ of 4\n/);
  expect(stdout).toContain('not done: line 1, create: was refused with 0xc0000022\n');
  expect(stdout).toContain(
    'driver refuse: DriverEntry returned 0x00000000; at the end it is unloaded\n',
  );
});

test('examples/drivers/protect runs under a replay', async () => {
  const driver = 'examples/drivers/protect/protect.js';
  const { stdout } = await run('--events', MIMIKATZ, '--driver', driver);
  expect(stdout).toMatch(/^protect: mimikatz\.exe was not let run, for process \d+\n/);
  expect(stdout).toContain('driver protect: DriverEntry returned 0x00000000');
  expect(stdout).toContain('; at the end it is unloaded\n');
});

test('ntps run --driver says that a DriverEntry stopped the machine, and what was not done', async () => {
  const driver = file(
    'throws.mjs',
    "export default { *DriverEntry() { throw new Error('no good'); } };",
  );
  await expect(run('--events', EVENTS, '--driver', driver)).rejects.toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      /\ndriver throws: DriverEntry did not come to its end\nstopped by bugcheck SYSTEM_THREAD_EXCEPTION_NOT_HANDLED at \d+\.\d+ ms\nreplayed: 0 of 2 actions, .*\nnot done: line 1, create: the machine had stopped: bugcheck\n.*CAUSE: +Error: no good\n/s,
    ),
  });
});

test('a file that is no driver is refused with a remedy', async () => {
  const driver = file('none.mjs', 'export default 1;');
  await expect(run('--events', EVENTS, '--driver', driver)).rejects.toMatchObject({
    stderr: expect.stringContaining(
      'its default export is no driver; export { name, DriverEntry }',
    ),
  });
});
