import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'ntps-verify-'));
afterAll(() => rmSync(folder, { recursive: true }));

function verify(...options: string[]): Promise<{ code: number; out: string; error: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['build/cli.js', 'verify', ...options], (error, out, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, error: stderr }),
    );
  });
}

const SLEEPER = join(folder, 'sleeper.mjs');
writeFileSync(
  SLEEPER,
  `export default (ntps) => {
  function* onProcess() {
    yield* ntps.KeDelayExecutionThread(0, false, -10000);
  }
  return {
    name: 'sleeper',
    *DriverEntry() {
      return yield* ntps.PsSetCreateProcessNotifyRoutineEx(onProcess, false);
    },
    *DriverUnload() {
      yield* ntps.PsSetCreateProcessNotifyRoutineEx(onProcess, true);
    },
  };
};
`,
);

test('ntps verify reports a finding at its line, writes SARIF, and fails', async () => {
  const sarif = join(folder, 'out.sarif');
  const { code, out } = await verify(SLEEPER, '--neighbours', 'all', '--sarif', sarif);
  expect(code).toBe(1);
  expect(out).toContain(
    'sleeper.mjs:3:17: error CB-04: process-notify routine sleeper!onProcess waits in KeDelayExecutionThread',
  );
  expect(out).toContain('sleeper: 1 finding; the run ended: ');
  const { results } = JSON.parse(readFileSync(sarif, 'utf8')).runs[0];
  expect(results).toHaveLength(1);
  expect(results[0].locations[0].physicalLocation.region).toEqual({
    startLine: 3,
    startColumn: 17,
  });
});

const EVENTS = 'examples/recordings/workstation.events.jsonl.gz';

test('ntps verify reports what a driver does beside neighbours while events are replayed', async () => {
  const { code, out } = await verify(SLEEPER, '--events', EVENTS, '--neighbours', 'all');
  expect(out).toContain('sleeper: 1 finding; the run ended: ');
  expect(out).toContain('error CB-04: process-notify routine sleeper!onProcess waits');
  expect(code).toBe(1);
});

test('ntps verify finds nothing in a driver of the examples while events are replayed', async () => {
  const options = ['--events', EVENTS, '--neighbours', 'all'];
  const { code, out } = await verify('examples/drivers/refuse.js', ...options);
  expect(out).toContain('refuse: no findings');
  expect(code).toBe(0);
});

test('ntps verify finds nothing in the drivers of the examples', async () => {
  const drivers = ['examples/drivers/refuse.js', 'examples/drivers/protect/protect.js'];
  const { code, out } = await verify(...drivers);
  expect(out).toBe(
    'refuse: no findings; the run ended: idle\nprotect: no findings; the run ended: idle\n',
  );
  expect(code).toBe(0);
});

const SCENE = join(folder, 'scene.mjs');
writeFileSync(
  SCENE,
  `export default (ntps) => ({
  machine: { processors: 3 },
  start(machine, print) {
    print(\`\${machine.processorCount} processors\`);
    ntps.processManager(machine).createProcess({ image: 'C:\\\\one.exe', *main() {} });
  },
});
`,
);

test('ntps verify runs a scenario of a file', async () => {
  const { code, out } = await verify(SLEEPER, '--scenario', SCENE);
  expect(out).toMatch(/^3 processors\n/);
  expect(out).toContain(', 2 times');
  expect(code).toBe(1);
});

test('ntps verify does not take a scenario with events', async () => {
  const { code, error } = await verify(SLEEPER, '--scenario', SCENE, '--events', EVENTS);
  expect(code).toBe(1);
  expect(error).toContain('verify: give --scenario or --events, not both');
});

test('ntps verify says which rule it does not know', async () => {
  const { code, error } = await verify(SLEEPER, '--rules', 'CB-99');
  expect(code).toBe(1);
  expect(error).toContain("'CB-99' is no rule; known: CB-01");
});

test('ntps verify does not take the host of events where there are none', async () => {
  const { code, out, error } = await verify(SLEEPER, '--host', 'a');
  expect([code, out, error]).toEqual([
    1,
    '',
    'ntps: verify: --host goes with --events, not with processes of its own\n',
  ]);
});
