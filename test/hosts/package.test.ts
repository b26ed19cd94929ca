import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { publint } from 'publint';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { browserPath, launchBrowser, openPage } from './browser';
import { moduleText, Project } from './project';
import { recordingPrefix } from './recording';
import { type Server, serve } from './server';

const ROOT = join(import.meta.dirname, '../..');

let project: Project;
beforeAll(() => {
  project = new Project();
  project.write('scenarios.js', moduleText('scenarios.ts'));
  project.write('recording.txt', recordingPrefix(4000));
});
afterAll(() => project.remove());

test('publint finds nothing to say about the tarball', async () => {
  const bytes = readFileSync(project.tarball);
  const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const { messages } = await publint({ pack: { tarball }, strict: true });
  expect(messages).toEqual([]);
});

test('the package has these files', () => {
  expect(project.files.filter((path) => !path.startsWith('examples/'))).toEqual([
    'CHANGELOG.md',
    'EMBEDDING.md',
    'LICENSE',
    'NOTICE',
    'README.md',
    'build/cli.js',
    'build/ntps.d.ts',
    'build/ntps.debug.wasm',
    'build/ntps.js',
    'build/ntps.plain.d.ts',
    'build/ntps.plain.js',
    'build/ntps.threads.debug.wasm',
    'build/ntps.threads.wasm',
    'build/ntps.wasm',
    'build/ntps.wasm.d.ts',
    'build/port.d.ts',
    'build/port.js',
    'build/threads.js',
    'build/web/index.html',
    'build/web/recording.js',
    'build/web/replay.js',
    'build/web/style.css',
    'package.json',
  ]);
});

describe('in Node', () => {
  test('import("ntps") from an empty project has the histories on record', async () => {
    project.write(
      'run.mjs',
      `import { readFileSync } from 'node:fs';
      const ntps = await import('ntps');
      const { histories } = await import('./scenarios.js');
      process.stdout.write(await histories(ntps, undefined, readFileSync('recording.txt')));`,
    );
    await expect(project.node('run.mjs')).toMatchFileSnapshot('../golden/histories.txt');
  });

  test('every entry of the package can be had by its name', () => {
    project.write(
      'entries.mjs',
      `import { readFileSync } from 'node:fs';
      import { Machine } from 'ntps';
      import plain from 'ntps/ntps.plain.js';
      import { openPort } from 'ntps/port.js';
      const bytes = (name) => readFileSync(new URL(import.meta.resolve(name)));
      const release = bytes('ntps/ntps.wasm');
      const module = new WebAssembly.Module(release);
      for (const core of [release, module, bytes('ntps/ntps.debug.wasm'), plain]) {
        console.log((await Machine.create({ core })).run({ until: 5 }).reason);
      }
      console.log(openPort.name, JSON.parse(bytes('ntps/package.json')).name);`,
    );
    expect(project.node('entries.mjs')).toBe('time\ntime\ntime\ntime\nopenPort ntps\n');
  });

  test('the command runs with the dependencies that the package declares', () => {
    const recording = 'node_modules/ntps/examples/recordings/build.ftrace.gz';
    const printed = project.node(
      'node_modules/ntps/build/cli.js',
      ...['replay', recording, '--policy', 'nt', '--top', '1'],
    );
    expect(printed).toMatch(/^digest nt [0-9a-f]{16}$/m);
  });
});

const CONSUMER = `
import { type CoreSource, KeSetEvent, KTHREAD_STATE, Machine } from 'ntps';
import { PortGuests, portState, program, type RunResult, STATUS } from 'ntps';
import debug from 'ntps/ntps.debug.wasm';
import plain from 'ntps/ntps.plain.js';
import release from 'ntps/ntps.wasm';
import * as port from 'ntps/port.js';

const CORES: Readonly<Record<string, CoreSource>> = { debug, plain, release };

export async function demo(name: string): Promise<RunResult> {
  const core = CORES[name];
  const machine = await Machine.create({ processors: 2, ...(core === undefined ? {} : { core }) });
  const event = machine.createEvent('notification');
  const process = machine.createProcess({ name: 'demo' });
  const thread = process.createThread(function* () {
    const status: number = yield* KeSetEvent(event, 1, false);
    if (status !== STATUS.SUCCESS) throw new Error(STATUS[status]);
  });
  process.createThread(machine.loadProgram(program('waiter', (p) => p.wait(event))));
  const guests = await PortGuests.open(port, { guestBytes: 4096 });
  process.createThread(guests.create(portState({ entry: 0, registers: { r1: 1 } })));
  const result = machine.run();
  if (result.reason === 'idle' && thread.state === KTHREAD_STATE.Terminated) return result;
  throw new Error(result.reason);
}
`;

interface Target {
  readonly name: string;
  readonly module: ts.ModuleKind;
  readonly moduleResolution: ts.ModuleResolutionKind;
  readonly lib: string[];
  readonly types: string[];
}

const { ESNext, NodeNext } = ts.ModuleKind;
const { Bundler } = ts.ModuleResolutionKind;
const BROWSER = { lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'], types: [] };
const NODE = { lib: ['lib.es2022.d.ts'], types: ['node'] };
const TARGETS: readonly Target[] = [
  { name: 'bundler', module: ESNext, moduleResolution: Bundler, ...BROWSER },
  {
    name: 'nodenext',
    module: NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    ...NODE,
  },
];

/** What tsc says of a file of the project, in the strictest terms and with the package's types checked too. */
function diagnose(file: string, { module, moduleResolution, lib, types }: Target): string[] {
  const path = join(project.folder, file);
  const program = ts.createProgram([path], {
    ...{ module, moduleResolution, lib, types },
    target: ts.ScriptTarget.ES2022,
    typeRoots: [join(ROOT, 'node_modules/@types')],
    noEmit: true,
    strict: true,
    isolatedModules: true,
    verbatimModuleSyntax: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
  });
  const checked = program
    .getSourceFiles()
    .filter(({ fileName }) => fileName === path || fileName.includes('/node_modules/ntps/'));
  return [
    ...program.getOptionsDiagnostics(),
    ...checked.flatMap((source) => ts.getPreEmitDiagnostics(program, source)),
  ].map(
    ({ code, messageText }) => `TS${code} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
  );
}

describe.each(TARGETS)('a TypeScript user, module resolution $name', (target) => {
  test('compiles strictly and file by file', () => {
    project.write('consumer.ts', CONSUMER);
    expect(diagnose('consumer.ts', target)).toEqual([]);
  });

  test('has the types and not any', () => {
    project.write('misuse.ts', `${CONSUMER}\nMachine.create({ procesors: 2 });\n`);
    expect(diagnose('misuse.ts', target)).toMatchObject([
      expect.stringMatching(/^TS2561 .*procesors/),
    ]);
  });
});

test('const enums in the types would be found', () => {
  const types = 'node_modules/ntps/build/ntps.d.ts';
  const text = readFileSync(join(project.folder, types), 'utf8');
  project.write('consumer.ts', CONSUMER);
  try {
    project.write(types, text.replaceAll('declare enum', 'declare const enum'));
    const found = diagnose('consumer.ts', TARGETS[0] as Target);
    expect(found).toContainEqual(expect.stringMatching(/^TS2748 Cannot access ambient const enum/));
  } finally {
    writeFileSync(join(project.folder, types), text);
  }
});

describe.skipIf(browserPath === undefined)('through Vite, in Chromium', () => {
  let browser: Browser;
  let server: Server;
  const warnings: string[] = [];
  beforeAll(async () => {
    const { build, createLogger } = await import('vite');
    project.write(
      'index.html',
      '<link rel="icon" href="data:," /><script type="module" src="/main.js"></script>',
    );
    project.write('public/recording.txt', recordingPrefix(4000));
    project.write(
      'main.js',
      `import * as ntps from 'ntps';
      import wasm from 'ntps/ntps.wasm?url';
      import { histories } from './scenarios.js';
      const bytes = async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer());
      globalThis.historiesOf = async (core) =>
        histories(ntps, core === 'release' ? await bytes(wasm) : undefined, await bytes('recording.txt'));`,
    );
    const logger = createLogger('silent');
    const warn = (message: string) => warnings.push(message);
    await build({
      root: project.folder,
      configFile: false,
      // The namespace goes on as a value: all of the library is in the app.
      build: { chunkSizeWarningLimit: 1000 },
      customLogger: { ...logger, warn, warnOnce: warn, error: warn },
    });
    server = await serve({ folders: { '/': join(project.folder, 'dist') } });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  test.each([
    'built in',
    'release',
  ])('an app has the histories on record, core %s', async (core) => {
    const { page, complaints } = await openPage(browser, `${server.origin}/index.html`);
    const histories = await page.evaluate(`historiesOf('${core}')`);
    await expect(histories).toMatchFileSnapshot('../golden/histories.txt');
    expect([...warnings, ...complaints]).toEqual([]);
    await page.close();
  });
});
