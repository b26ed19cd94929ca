import { readFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import * as ntps from '../../src/index';
import { dealWorkers } from '../parallel/deal';
import { recordingPrefix } from './recording';
import { histories } from './scenarios';

const recording = recordingPrefix(4000);
let release = '';
beforeAll(async () => {
  release = await histories(ntps, await readFile('build/ntps.wasm'), recording);
});

test('the histories are the ones on record', async () => {
  await expect(release).toMatchFileSnapshot('../golden/histories.txt');
});

test('the core built into the library has the histories of ntps.wasm', async () => {
  expect(await histories(ntps, undefined, recording)).toBe(release);
});

test('the debug build has the histories of the release build', async () => {
  const debug = await readFile('build/ntps.debug.wasm');
  expect(await histories(ntps, debug, recording)).toBe(release);
});

test('the core in plain JavaScript has the histories of the release build', async () => {
  const { default: plain } = await import('../../build/ntps.plain.js');
  expect(await histories(ntps, plain, recording)).toBe(release);
});

test.each([
  1, 2, 3, 8,
])('the core for workers has the histories of the release build, %i workers a machine', async (workers) => {
  const takeBack = dealWorkers(workers);
  try {
    expect(await histories(ntps, undefined, recording)).toBe(release);
  } finally {
    await takeBack();
  }
});
