import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as ntps from '../../src/index';
import { browserPath, launchBrowser, openPage } from '../hosts/browser';
import { type Server, type Site, serve } from '../hosts/server';
import { SCRIPT_PORT } from './machines';
import { guestMachine, outcomeOf, referenceMachine } from './page';

const ROOT = join(import.meta.dirname, '../..');
const PORT = pathToFileURL(join(ROOT, 'build/port.js'));
const UNTIL = 900_000;

const PAGE = `<!doctype html><title>ntps</title><link rel="icon" href="data:," />
<script type="module" src="/page.js"></script>`;

/** `histories(workers)`: what a machine comes to that the page's main thread runs. */
const PAGE_SCRIPT = `
import * as ntps from '/build/ntps.js';
import { guestMachine, outcomeOf, referenceMachine } from '/guests.js';

const port = './script-port.mjs';
globalThis.outcome = async (workers) => {
  const machine = await guestMachine(ntps, port, { workers });
  const { reason } = await machine.runAsync({ until: ${UNTIL} });
  const outcome = [reason, machine.workers, outcomeOf(machine), machine.notices];
  await machine.dispose();
  return outcome;
};
globalThis.reference = async (workers) => {
  const machine = await referenceMachine(ntps, '/build/port.js', { workers });
  await machine.runAsync({ until: ${UNTIL} });
  const outcome = outcomeOf(machine);
  await machine.dispose();
  return outcome;
};
globalThis.blocking = async () => {
  const machine = await guestMachine(ntps, port, { workers: 1 });
  try {
    return machine.run({ until: ${UNTIL} }).reason;
  } catch (error) {
    return error.message;
  } finally {
    await machine.dispose();
  }
};
`;

/** What forbids a page workers whose script is not its own. */
const STRICT = "worker-src 'self'";

function transpiled(name: string): string {
  const text = readFileSync(join(import.meta.dirname, name), 'utf8');
  return ts.transpileModule(text, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  }).outputText;
}

const SITE: Site = {
  folders: { '/build/': join(ROOT, 'build') },
  files: {
    '/index.html': PAGE,
    '/page.js': PAGE_SCRIPT,
    '/strict.html': PAGE,
    '/guests.js': transpiled('page.ts'),
    '/script-port.mjs': readFileSync(SCRIPT_PORT),
  },
};

async function outcomeInNode(): Promise<string> {
  const machine = await guestMachine(ntps, SCRIPT_PORT, {});
  machine.run({ until: UNTIL });
  return outcomeOf(machine);
}

describe.skipIf(browserPath === undefined)('in Chromium', () => {
  let browser: Browser;
  let isolated: Server;
  let plain: Server;
  beforeAll(async () => {
    browser = await launchBrowser();
    isolated = await serve({ ...SITE, isolated: true, policies: { '/strict.html': STRICT } });
    plain = await serve(SITE);
  });
  afterAll(async () => {
    await browser?.close();
    await isolated?.close();
    await plain?.close();
  });

  test.each([
    0, 1, 2, 3, 8,
  ])('a cross-origin isolated page has the history of Node, %i workers', async (workers) => {
    const { page, complaints } = await openPage(browser, `${isolated.origin}/index.html`);
    const outcome = await page.evaluate(`outcome(${workers})`);
    expect(outcome).toEqual(['time', workers, await outcomeInNode(), []]);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test.each([0, 2])('so have guests of the reference port, %i workers', async (workers) => {
    const { page, complaints } = await openPage(browser, `${isolated.origin}/index.html`);
    const machine = await referenceMachine(ntps, PORT, {});
    machine.run({ until: UNTIL });
    expect(await page.evaluate(`reference(${workers})`)).toBe(outcomeOf(machine));
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('run is refused on the page’s main thread, where it would block', async () => {
    const { page } = await openPage(browser, `${isolated.origin}/index.html`);
    expect(await page.evaluate('blocking()')).toBe(
      "run waits for the machine's workers, which a page's main thread may not; await runAsync",
    );
    await page.close();
  });

  test('a page that is not isolated is told which headers it lacks, and has the same history', async () => {
    const { page, complaints } = await openPage(browser, `${plain.origin}/index.html`);
    const notice =
      'there are no workers: the page is not cross-origin isolated; serve it with the headers ' +
      'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp. ' +
      'The machine runs without, with the same history';
    expect(await page.evaluate('outcome(2)')).toEqual(['time', 0, await outcomeInNode(), [notice]]);
    expect(await page.evaluate('blocking()')).toBe('time');
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('a page that may not make workers is told so, and has the same history', async () => {
    const { page } = await openPage(browser, `${isolated.origin}/strict.html`);
    const notice =
      'there are no workers: the host refuses them (a worker has ended: its script was not loaded). ' +
      'The machine runs without, with the same history';
    expect(await page.evaluate('outcome(2)')).toEqual(['time', 0, await outcomeInNode(), [notice]]);
    expect(await page.evaluate('blocking()')).toBe('time');
    await page.close();
  });
});
