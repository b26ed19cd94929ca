import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { handleLines } from '../../src/cli/ps-text';
import { create } from '../workload/events/log-text';

const folder = mkdtempSync(join(tmpdir(), 'ntps-ps-'));
afterAll(() => rmSync(folder, { recursive: true }));
const EVENTS = join(folder, 'log.json');
writeFileSync(EVENTS, create(1, 8, 'a.exe', 4) + create(2, 12, 'b.exe', 8));

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
    /^PROCESS [0-9a-f]{8}\n {4}SessionId: 0 {2}Cid: 000c {4}Peb: 7fa0002000 {2}ParentCid: 0000\n {4}HandleCount: 0\.\n {4}Image: media-player\.json\n/,
  );
  expect(text).toContain('    ElapsedTime                       00:00:00.500\n');
  expect(text).toMatch(
    / {8}THREAD [0-9a-f]{8} {2}Cid 000c\.0010 {2}Teb: [0-9a-f]{16} {2}WAIT: \(DelayExecution\) KernelMode Non-Alertable\n {16}until 00:00:00\.520\n/,
  );
  expect(text).toMatch(
    /WAIT: \(UserRequest\) UserMode Non-Alertable\n {16}[0-9a-f]{8} {2}NotificationEvent\n/,
  );
  expect(text).toMatch(/Wait Start TickCount {6}31 {7}Ticks: 1 \(00:00:00\.015\)\n/);
  expect(text).toMatch(/Cid 000c\.0020 {2}Teb: [0-9a-f]{16} {2}RUNNING on processor 3\n/);
  expect(text).toContain('Priority 12 BasePriority 11 UnusualBoost 0 ForegroundBoost 0\n');
});

test('ntps ps --brief lists processes, --json has everything', async () => {
  expect(await ps(PLAYER, '--brief')).toMatch(
    /^PROCESS .*\n.*\n.*\n {4}Image: System\nPROCESS .*\n.*\n.*\n {4}Image: media-player\.json\n$/,
  );
  const { nowNs, processes } = JSON.parse(await ps(PLAYER, '--at', '20', '--json'));
  expect(nowNs).toBe(20e6);
  expect(processes).toMatchObject([{ name: 'System' }, { threads: { length: 7 } }]);
});

test('ntps ps --events shows the tree that recorded events leave, and the callbacks of a driver', async () => {
  const driver = 'examples/drivers/refuse.js';
  const text = await ps('--events', EVENTS, '--driver', driver, '--brief', '--callbacks');
  expect(text).toMatch(/^PROCESS .*\n.*\n.*\n {4}Image: System\n/);
  expect(text).toMatch(/ {4}PROCESS .*\n.*\n.*\n {8}Image: C:\\Windows\\a\.exe\n/);
  expect(text).toMatch(/ {8}PROCESS .*\n.*\n.*\n {12}Image: C:\\Windows\\b\.exe\n/);
  expect(text).toMatch(
    /\nnt!PspCreateProcessNotifyRoutine: 2 of 64\n {4}\[00\] [0-9a-f]{16} .* {2}\(PsSetCreateProcessNotifyRoutineEx\)\n {4}\[01\] fffff801000[0-9a-f]{5} refuse!onProcess {2}\(PsSetCreateProcessNotifyRoutineEx\)\n/,
  );
  expect(text).toMatch(
    /\nCallbackList of object types: 1\n {4}Process {2}Altitude: 1 {2}Operations: CREATE\n {8}PreOperation: {2}none\n/,
  );
});

test('ntps ps --handles shows handles as !handle does', () => {
  const handle = {
    handle: 0x80,
    type: 'Thread',
    address: 0x7e90,
    grantedAccess: 0x1fffff,
    inherit: true,
    protectFromClose: true,
    handleCount: 2,
    pointerCount: 3,
    processId: 12,
    threadId: 0x28,
  };
  expect(handleLines([handle])).toEqual([
    'Handle table with 1 entries in use',
    '',
    '0080: Object: 00007e90  GrantedAccess: 001fffff (Protected) (Inherit)',
    '    Object: 00007e90  Type: Thread',
    '        HandleCount: 2  PointerCount: 3',
    '        Cid: 000c.0028',
    '',
  ]);
});

test('ntps ps shows what a thread is in', async () => {
  const text = await ps('--events', EVENTS);
  expect(text).toMatch(/ {12}Call Site\n {12}KeWaitForSingleObject\n/);
});

test.each([
  [['ps'], 'give a workload, or events with --events'],
  [['ps', PLAYER, '--events', EVENTS], 'give a workload or --events, not both'],
  [['ps', '--at', '5', '--events', EVENTS], 'ps: --at goes with a workload, not with --events'],
  [
    ['ps', PLAYER, '--process', '999999'],
    'ps: there is no process 999999 at 1000.000 ms; --brief without --process lists those',
  ],
  [['ps', PLAYER, '--live-threads', '1'], 'or raise --live-threads'],
  [
    ['ps', PLAYER, '--driver', 'examples/drivers/refuse.js'],
    'ps: --driver goes with --events, not with a workload',
  ],
])('%o is refused with a remedy', async (options, message) => {
  const refused = promisify(execFile)(process.execPath, ['build/cli.js', ...options]);
  await expect(refused).rejects.toMatchObject({ stderr: expect.stringContaining(message) });
});
