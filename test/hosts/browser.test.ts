import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { browserPath, findBrowser, launchBrowser, openPage } from './browser';
import { moduleText } from './project';
import { recordingPrefix } from './recording';
import { type Server, serve } from './server';

const ROOT = join(import.meta.dirname, '../..');

const PAGE = `<!doctype html><title>ntps</title><link rel="icon" href="data:," />
<script type="module" src="/page.js"></script>`;

const PAGE_SCRIPT = `
import * as ntps from '/build/ntps.js';
import plain from '/build/ntps.plain.js';
import { histories } from '/scenarios.js';

const bytes = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
const CORES = {
  'built in': () => undefined,
  release: () => bytes('/build/ntps.wasm'),
  debug: () => bytes('/build/ntps.debug.wasm'),
  plain: () => plain,
};
globalThis.historiesOf = async (core) =>
  histories(ntps, await CORES[core](), await bytes('/recording.txt'));
`;

describe.skipIf(browserPath === undefined)('in Chromium', () => {
  let browser: Browser;
  let server: Server;
  beforeAll(async () => {
    browser = await launchBrowser();
    server = await serve({
      folders: { '/build/': join(ROOT, 'build') },
      files: {
        '/index.html': PAGE,
        '/strict.html': PAGE,
        '/page.js': PAGE_SCRIPT,
        '/scenarios.js': moduleText('scenarios.ts'),
        '/recording.txt': recordingPrefix(4000),
      },
      policies: { '/strict.html': "default-src 'self'" },
    });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  test.each([
    'built in',
    'release',
    'debug',
    'plain',
  ])('a plain module page that imports the library as it is has the histories on record, core %s', async (core) => {
    const { page, complaints } = await openPage(browser, `${server.origin}/index.html`);
    const histories = await page.evaluate(`historiesOf('${core}')`);
    await expect(histories).toMatchFileSnapshot('../golden/histories.txt');
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('a page that may not compile WebAssembly runs the core in plain JavaScript', async () => {
    const { page } = await openPage(browser, `${server.origin}/strict.html`);
    await expect(page.evaluate("historiesOf('built in')")).rejects.toThrow(/Content Security/);
    const histories = await page.evaluate("historiesOf('plain')");
    await expect(histories).toMatchFileSnapshot('../golden/histories.txt');
    await page.close();
  });
});

describe('the search for a browser', () => {
  test('a missing browser is a failure under CI, and tests left out elsewhere', () => {
    expect(findBrowser({ PATH: '/nowhere' })).toBeUndefined();
    expect(findBrowser({ PATH: '/nowhere', CI: '' })).toBeUndefined();
    expect(() => findBrowser({ PATH: '/nowhere', CI: '1' })).toThrow(
      'there is no Chromium for the browser tests; install one or set CHROME_PATH',
    );
  });

  test('a CHROME_PATH without a program is refused by name', () => {
    expect(() => findBrowser({ CHROME_PATH: '/nowhere/chrome' })).toThrow(
      'CHROME_PATH is /nowhere/chrome, where no program is; correct or unset it',
    );
    expect(findBrowser({ CHROME_PATH: process.execPath })).toBe(process.execPath);
  });
});
