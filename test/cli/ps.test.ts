import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ps = async (...options: string[]) => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    'build/cli.js',
    'ps',
    ...options,
  ]);
  return stdout;
};

const PLAYER = 'examples/workloads/media-player.json';

test('ntps ps shows processes and threads as a kernel debugger does', async () => {
  const text = await ps(PLAYER, '--at', '500', '--process', '12');
  expect(text).toMatch(
    /^PROCESS [0-9a-f]{8}\n {4}Cid: 000c {4}ParentCid: 0000\n {4}HandleCount: 0\.\n {4}Image: media-player\.json\n/,
  );
  expect(text).toContain('    ElapsedTime                       00:00:00.500\n');
  expect(text).toMatch(
    / {8}THREAD [0-9a-f]{8} {2}Cid 000c\.0010 {2}WAIT: \(DelayExecution\) KernelMode Non-Alertable\n {16}until 00:00:00\.520\n/,
  );
  expect(text).toMatch(
    /WAIT: \(UserRequest\) UserMode Non-Alertable\n {16}[0-9a-f]{8} {2}NotificationEvent\n/,
  );
  expect(text).toMatch(/Wait Start TickCount {6}31 {7}Ticks: 1 \(00:00:00\.015\)\n/);
  expect(text).toMatch(/Cid 000c\.0020 {2}RUNNING on processor 3\n/);
  expect(text).toContain('Priority 12 BasePriority 11 PriorityDecrement 0 UnusualBoost 0\n');
});

test('ntps ps --brief lists processes, --json has everything', async () => {
  expect(await ps(PLAYER, '--brief')).toMatch(
    /^PROCESS .*\n.*\n.*\n {4}Image: System\nPROCESS .*\n.*\n.*\n {4}Image: media-player\.json\n$/,
  );
  const { nowNs, processes } = JSON.parse(await ps(PLAYER, '--at', '20', '--json'));
  expect(nowNs).toBe(20e6);
  expect(processes).toMatchObject([{ name: 'System' }, { threads: { length: 7 } }]);
});
