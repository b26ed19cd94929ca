import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
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

const REFUSED = join(folder, 'refused.mjs');
writeFileSync(REFUSED, "export default { name: 'refused', DriverEntry: () => 0xc000009a };\n");

test('ntps verify fails for a driver that is not loaded, and tells so in each format', async () => {
  const sarif = join(folder, 'refused.sarif');
  const told = await verify(REFUSED, '--rules', 'CB-01', '--sarif', sarif);
  expect(told.code).toBe(1);
  expect(told.out).toContain('error DR-01: DriverEntry refused!DriverEntry returns 0xc000009a');
  expect(told.out).toContain('refused: 1 finding; the run ended: ');
  const { results } = JSON.parse(readFileSync(sarif, 'utf8')).runs[0];
  expect(results).toHaveLength(1);
  expect(results[0].ruleId).toBe('DR-01');
  const json = await verify(REFUSED, '--json');
  expect(json.code).toBe(1);
  expect(JSON.parse(json.out)).toHaveLength(1);
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

test.each([
  [
    'garbage.bin',
    'x',
    "this is no JavaScript module: its name ends in '.bin'; give a .js or .mjs file",
  ],
  [
    'driver.json',
    '{}',
    "this is no JavaScript module: its name ends in '.json'; give a .js or .mjs file",
  ],
  ['text.mjs', 'no module', 'this is no JavaScript module (Unexpected identifier'],
  ['fails.mjs', "throw new Error('no luck');", 'this driver cannot be imported (no luck)\n'],
  [
    'alone.mjs',
    "import 'ntps';",
    '; install ntps beside it, or export a function (ntps) => that\n',
  ],
  [
    'entry.mjs',
    'export default { async *DriverEntry() {} };',
    'ntps: entry!DriverEntry returned a Promise: callbacks are generator functions (function*)',
  ],
  [
    'routine.mjs',
    `export default (ntps) => ({ *DriverEntry() {
      return yield* ntps.PsSetCreateThreadNotifyRoutine(async function onThread() { throw 1; });
    } });`,
    'ntps: routine!onThread returned a Promise: callbacks are generator functions (function*)',
  ],
  [
    'loose.mjs',
    `export default { DriverEntry() {
      (async () => { throw new Error('loose'); })();
      return 0;
    } };`,
    'loose.mjs:2:28: an async function of it failed, and nothing awaits that: Error: loose\n',
  ],
])('ntps verify %s fails, and says what is wrong', async (name, text, message) => {
  const file = join(folder, name);
  writeFileSync(file, text);
  const { code, error } = await verify(file);
  expect(error).toContain(message);
  expect(error.trimEnd().split('\n')).toHaveLength(1);
  expect(code).toBe(1);
});

test('ntps verify names a file that is not there, and a directory', async () => {
  expect((await verify('absent.js')).error).toBe(
    'ntps: absent.js: there is no such file; check its name\n',
  );
  expect((await verify('examples')).error).toBe(
    'ntps: examples: this is a directory; name a file\n',
  );
});

test('ntps --version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  const { stdout } = await promisify(execFile)(process.execPath, ['build/cli.js', '--version']);
  expect(stdout).toBe(`${version}\n`);
});

test('a driver that imports another copy of the library is told so', async () => {
  const copy = join(folder, 'node_modules/ntps');
  mkdirSync(copy, { recursive: true });
  copyFileSync('build/ntps.js', join(copy, 'index.mjs'));
  const driver = join(folder, 'stranger.mjs');
  writeFileSync(
    driver,
    `import { PsSetCreateThreadNotifyRoutine } from './node_modules/ntps/index.mjs';
export default { *DriverEntry() { return yield* PsSetCreateThreadNotifyRoutine(() => {}); } };`,
  );
  const { code, error } = await verify(driver);
  expect(code).toBe(1);
  expect(error).toMatch(
    /^ntps: PsSetCreateThreadNotifyRoutine is called by a guest of another copy of ntps: it was imported from file:.*\/node_modules\/ntps\/index\.mjs, and the machine is of file:.*\/build\/ntps\.js; import both from one copy\n$/,
  );
});
