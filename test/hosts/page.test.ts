import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { replayRecording } from '../../src/index';
import { browserPath, launchBrowser, openPage } from './browser';
import { recordingPrefix } from './recording';
import { type Server, serve } from './server';

const FOLDER = join(import.meta.dirname, '../../build/web');
const recording = recordingPrefix(6000);

/** The digests of a recording under each policy, as Node has them. */
async function digests(processors?: number): Promise<string[]> {
  async function* text(): AsyncGenerator<Uint8Array> {
    yield recording;
  }
  const options = { name: 'recording', ...(processors === undefined ? {} : { processors }) };
  const { reports } = await replayRecording(text(), options);
  return reports.map(({ digest }) => digest);
}

async function notes(page: Page): Promise<string> {
  await page.locator('#again:enabled').waitFor();
  return (await page.locator('#notes').textContent()) ?? '';
}

async function digestsOf(page: Page): Promise<string[]> {
  return [...(await notes(page)).matchAll(/digest ([0-9a-f]{16})/g)].map(
    ([, digest]) => `${digest}`,
  );
}

/** How many pixels of the timeline are of a colour as strong as a process's. */
function colouredPixels(page: Page): Promise<number> {
  return page.evaluate(`(async () => {
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    const { width, height } = timeline;
    const { data } = timeline.getContext('2d').getImageData(0, 0, width, height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      const [red, green, blue, alpha] = data.subarray(at, at + 4);
      if (alpha > 200 && Math.max(red, green, blue) - Math.min(red, green, blue) > 40) count++;
    }
    return count;
  })()`);
}

const fileOf = (name: string, buffer: Uint8Array) => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(buffer),
});

describe.skipIf(browserPath === undefined)('the page, in Chromium', () => {
  let browser: Browser;
  let server: Server;
  beforeAll(async () => {
    server = await serve({ folders: { '/': FOLDER } });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  const open = () => openPage(browser, `${server.origin}/index.html`);

  test('opened from its file, it replays the shipped recording and draws it', async () => {
    const address = pathToFileURL(join(FOLDER, 'index.html')).href;
    const { page, complaints } = await openPage(browser, address);
    await page.getByRole('button', { name: 'Replay the shipped recording' }).click();
    expect((await digestsOf(page)).length).toBe(3);
    expect(await page.locator('#status').textContent()).toMatch(
      /^build\.ftrace\.gz: 9\.93 s on 2 processors, 469 threads of 357 processes; \d+ context switches/,
    );
    expect(await page.locator('#overall tbody tr').count()).toBe(4);
    expect(await page.locator('#threads tbody tr').count()).toBe(200);
    expect(await colouredPixels(page)).toBeGreaterThan(10_000);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test.each([
    ['trace.txt', recording],
    ['trace.gz', gzipSync(recording)],
  ])('a recording of the user’s, %s, has the history that Node has', async (name, content) => {
    const { page, complaints } = await open();
    await page.locator('#file').setInputFiles(fileOf(name, content));
    expect(await digestsOf(page)).toEqual(await digests());
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('another number of processors is another history, that of Node again', async () => {
    const { page } = await open();
    await page.locator('#processors').fill('5');
    await page.locator('#file').setInputFiles(fileOf('trace.txt', recording));
    expect(await digestsOf(page)).toEqual(await digests(5));
    await page.close();
  });

  test('what is no recording is refused with place and remedy, and the next one replayed', async () => {
    const { page } = await open();
    await page.locator('#file').setInputFiles(fileOf('letter.txt', Buffer.from('Dear all,\n')));
    await page.locator('#again:enabled').waitFor();
    expect(await page.locator('#status').textContent()).toBe(
      'letter.txt:1:1: there is no ftrace event in it; give the text of tracefs `trace` or of `trace-cmd report`',
    );
    await page.locator('#file').setInputFiles(fileOf('trace.txt', recording));
    await page.locator('#results:not([hidden])').waitFor();
    await page.close();
  });

  test('of damaged gzip data what is good is replayed, and the damage told', async () => {
    const { page } = await open();
    const damaged = gzipSync(recording).subarray(0, 40_000);
    await page.locator('#file').setInputFiles(fileOf('trace.gz', damaged));
    expect(await notes(page)).toContain('Warning: damaged-input, 1 times, first at');
    await page.close();
  });

  test('keys zoom and move, a policy and a thread can be picked', async () => {
    const { page } = await open();
    await page.locator('#file').setInputFiles(fileOf('trace.txt', recording));
    await notes(page);
    const height = () => page.evaluate<number>('timeline.clientHeight');
    const before = await height();
    await page.locator('#timeline').focus();
    for (const key of ['+', '+', 'ArrowRight']) await page.keyboard.press(key);
    expect(await page.evaluate('zoom.valueAsNumber > 0 && position.valueAsNumber > 0.5')).toBe(
      true,
    );
    await page.keyboard.press('0');
    expect(await page.evaluate('zoom.valueAsNumber')).toBe(0);
    await page.getByRole('radio', { name: 'FIFO' }).check();
    expect(await page.locator('#overall tr[aria-current] th').textContent()).toBe('FIFO');
    await page.locator('#threads tbody button').first().click();
    expect(await page.locator('#threads tr.chosen').count()).toBe(1);
    await expect.poll(height).toBe(before + 29);
    await page.getByRole('button', { name: 'Show all' }).click();
    await expect.poll(height).toBe(before);
    await page.close();
  });
});
