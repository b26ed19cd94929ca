import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The path of a Chromium: CHROME_PATH, or the first of its usual names on the PATH.
 *
 * @returns undefined if there is none; the tests that need one are then left out.
 * @throws if there is none under CI, or none at CHROME_PATH.
 */
export function findBrowser(env: NodeJS.ProcessEnv): string | undefined {
  const { CHROME_PATH, PATH = '', CI } = env;
  if (CHROME_PATH !== undefined && CHROME_PATH !== '') {
    if (isExecutable(CHROME_PATH)) return CHROME_PATH;
    throw new Error(`CHROME_PATH is ${CHROME_PATH}, where no program is; correct or unset it`);
  }
  const folders = PATH.split(delimiter).filter((folder) => folder !== '');
  const paths = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const found = paths.find(isExecutable);
  if (found === undefined && CI !== undefined && CI !== '') {
    throw new Error('there is no Chromium for the browser tests; install one or set CHROME_PATH');
  }
  return found;
}

export const browserPath = findBrowser(process.env);
if (browserPath === undefined) {
  console.warn('No Chromium found: browser tests are LEFT OUT. Install one or set CHROME_PATH.');
}

const ARGUMENTS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: browserPath as string, args: ARGUMENTS });
}

/** A page of the browser, and all that it complains of. */
export async function openPage(
  browser: Browser,
  address: string,
): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  await page.goto(address, { waitUntil: 'load' });
  return { page, complaints };
}
