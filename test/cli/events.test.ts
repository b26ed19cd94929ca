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
  expect(stdout).toContain('driver driver: DriverEntry returned 0x00000000\n');
  expect(stdout).toContain('not done: line 1, create: was refused with 0xc0000022\n');
});

test('a file that is no driver is refused with a remedy', async () => {
  const driver = file('none.mjs', 'export default 1;');
  await expect(run('--events', EVENTS, '--driver', driver)).rejects.toMatchObject({
    stderr: expect.stringContaining(
      'its default export is no driver; export { name, DriverEntry }',
    ),
  });
});
