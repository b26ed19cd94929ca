import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'ntps-'));
afterAll(() => rmSync(folder, { recursive: true }));

const RECORDING = 'examples/recordings/build.ftrace.gz';
const ntps = (...options: string[]) =>
  promisify(execFile)(process.execPath, ['build/cli.js', 'replay', ...options], {
    maxBuffer: 1 << 26,
  });
const failing = (...options: string[]) =>
  ntps(...options).then(
    () => ({ code: 0, stderr: '' }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
  );

describe('ntps replay', () => {
  test('prints the recorded figures beside those of each policy, and no bar into a pipe', async () => {
    const { stdout, stderr } = await ntps(RECORDING, '--top', '3');
    expect(stdout).toContain(
      '32141 lines, 9933.362 ms on 2 processors, 357 processes, 469 threads',
    );
    expect(stdout).toMatch(/│ recorded .*│ nt .*│ fifo .*│ rr /s);
    expect(stdout).toContain('the 3 busiest of 357 processes');
    expect(stderr).toBe('');
  });

  test('prints everything as JSON', async () => {
    const { stdout } = await ntps(RECORDING, '--json', '--policy', 'nt', '--processors', '4');
    const { recording, reports } = JSON.parse(stdout);
    expect(recording.durationNs).toBe(9_933_362_000);
    expect(reports).toHaveLength(1);
    expect(reports[0].threads).toHaveLength(469);
    expect(reports[0].processors).toHaveLength(4);
    expect(reports[0].overall.runNs).toBe(recording.overall.runNs);
  });

  test('writes a Perfetto trace and a CSV that bear their names once they are whole', async () => {
    const [pftrace, csv] = [join(folder, 'a.pftrace'), join(folder, 'a.csv')];
    await ntps(RECORDING, '--policy', 'nt', '--out', pftrace);
    await ntps(RECORDING, '--policy', 'nt', '--out', csv);
    expect(readFileSync(pftrace).subarray(0, 1)).toEqual(Buffer.from([0x0a]));
    expect(readFileSync(csv, 'utf8')).toContain(',contextSwitch,');
    expect(existsSync(`${csv}.part`)).toBe(false);
  });

  test('leaves nothing behind when the recording is none', async () => {
    const bad = join(folder, 'bad.txt');
    writeFileSync(bad, 'no recording\n'.repeat(100));
    const out = join(folder, 'bad.pftrace');
    const { code, stderr } = await failing(bad, '--out', out);
    expect(code).toBe(1);
    expect(stderr).toContain(`ntps: ${bad}:1:1: `);
    expect([existsSync(out), existsSync(`${out}.part`)]).toEqual([false, false]);
  });

  test('refuses an unknown format of output, and says which there are', async () => {
    const { code, stderr } = await failing(RECORDING, '--out', join(folder, 'a.json'));
    expect(code).toBe(1);
    expect(stderr).toContain('Let the name end in one of .pftrace, .perfetto-trace, .csv');
  });

  test('as processes of Linux says what was told of them, and what a driver made of that', async () => {
    const driver = join(folder, 'counts.mjs');
    writeFileSync(
      driver,
      `export default (ntps) => {
        let created = 0;
        const onProcess = (_process, _id, info) => { if (info !== null) created++; };
        const set = (remove) => ntps.PsSetCreateProcessNotifyRoutineEx2(0, onProcess, remove);
        return {
          name: 'counts',
          *DriverEntry() { return yield* set(false); },
          *DriverUnload() { yield* set(true); console.log('created ' + created); },
        };
      };`,
    );
    const { stdout } = await ntps(
      RECORDING,
      '--subsystem',
      'wsl',
      '--driver',
      driver,
      '--top',
      '0',
    );
    expect(stdout).toContain(
      'nt, as processes of wsl: 339 forks, 112 new threads, 340 execs and 451 ends of threads told; 18 threads were there before',
    );
    expect(stdout).toContain('created 357');
    expect(stdout).toContain('driver counts: DriverEntry returned 0x00000000');
    expect(stdout).not.toContain('a defect of ntps');
    // One machine for one driver.
    expect(stdout).not.toContain('digest fifo');
  });

  test('refuses a driver where no process is told of', async () => {
    const { code, stderr } = await failing(RECORDING, '--driver', 'examples/drivers/refuse.js');
    expect(code).toBe(1);
    expect(stderr).toContain('--driver needs --subsystem wsl');
  });

  test('refuses processors out of range', async () => {
    const { code, stderr } = await failing(RECORDING, '--processors', '0');
    expect(code).toBe(1);
    expect(stderr).toContain('give an integer from 1 to 2048');
  });
});
