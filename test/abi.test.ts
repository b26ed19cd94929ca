import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { ABI } from '../assembly/shared/layout';
import { MachineError } from '../src/machine/errors';
import { Machine } from '../src/machine/machine';
import { SHARED } from './map';

const bytes = (name: string) => readFile(new URL(`../build/${name}`, import.meta.url));

async function exportsOf(name: string): Promise<Record<string, WebAssembly.ExportValue>> {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { instance } = await WebAssembly.instantiate(await bytes(name), { env: { memory } });
  return instance.exports;
}

test('asc and tsc read the same value from every member of the shared enums', async () => {
  const seenByTsc = Object.fromEntries(
    [...SHARED].flatMap(([name, members]) =>
      [...members].map(([member, value]) => [`${name}.${member}`, value >>> 0]),
    ),
  );
  const seenByAsc = Object.fromEntries(
    Object.entries(await exportsOf('ntps.debug.wasm'))
      .filter(([, value]) => value instanceof WebAssembly.Global)
      .map(([name, value]) => [name, (value as WebAssembly.Global).value >>> 0]),
  );
  expect(seenByAsc).toEqual(seenByTsc);
  expect(seenByAsc).toMatchObject({ 'KTHREAD.State': 24, 'STATUS.INVALID_HANDLE': 0xc0000008 });
});

test('the core imports its memory and nothing else', async () => {
  for (const name of ['ntps.wasm', 'ntps.debug.wasm']) {
    const module = await WebAssembly.compile(await bytes(name));
    expect(WebAssembly.Module.imports(module)).toEqual([
      { module: 'env', name: 'memory', kind: 'memory' },
    ]);
  }
});

test('attaching refuses a core of another map', async () => {
  const stranger = { KiAbiSignature: () => ABI.Signature };
  await expect(Machine.create({ core: () => stranger })).rejects.toThrow(
    'option core: this module is not the core of this version of ntps',
  );
});

test('attaching refuses a module that has no signature', async () => {
  const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  await expect(Machine.create({ core: empty })).rejects.toThrow(MachineError);
});

test('attaching takes the core of the package, release or debug', async () => {
  const release = await Machine.create({ core: await bytes('ntps.wasm') });
  const debug = await Machine.create({ core: await bytes('ntps.debug.wasm') });
  expect(debug.digest).toBe(release.digest);
});
