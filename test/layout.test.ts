import { describe, expect, test } from 'vitest';
import { KSYSTEM } from '../assembly/shared/layout';
import { layOut } from '../src/machine/memory';
import { resolveOptions } from '../src/machine/options';
import { printMap, STRUCTS } from './map';

test('the map has these structs, of these sizes in bytes', () => {
  expect(STRUCTS.map(({ name, size }) => `${name} ${size}`)).toEqual([
    'RECORD 32',
    'LIST_ENTRY 8',
    'DISPATCHER_HEADER 16',
    'KTABLE 32',
    'KSYSTEM 1344',
    'KGROUP 64',
    'KNODE 64',
    'KPRCB 512',
    'KDPC_DATA 12',
    'KWAIT_BLOCK 24',
    'KWAIT_BLOCK_ROW 32',
    'KTIMER 24',
    'KTHREAD 256',
    'KTHREAD_EXTENSION 128',
    'KTRAP_FRAME 192',
    'KPROCESS 128',
    'KOBJECT 64',
    'KQUEUE 64',
    'KQUEUE_ENTRY 32',
    'KMUTANT 64',
    'KTIMER_OBJECT 64',
    'KDPC 64',
    'KAPC 64',
    'KSPIN_LOCK 64',
    'KBARRIER 64',
    'KINTERRUPT_OBJECT 64',
    'KINTERRUPT 32',
    'KFLIGHT 128',
    'KENGINE 256',
    'KTIMER_TABLE 4352',
    'PORT_CONTEXT 512',
  ]);
});

describe.each(STRUCTS)('$name', ({ size, fields }) => {
  test('every field is aligned to its words: 4 bytes, or 8 if it is named …64', () => {
    const misaligned = fields.filter(
      ({ name, offset }) => offset % (name.endsWith('64') ? 8 : 4) !== 0,
    );
    expect(misaligned).toEqual([]);
  });

  test('no field reaches into the next or past the end', () => {
    const overlapping = fields.filter(
      ({ offset, width }, index) => offset + width > (fields[index + 1]?.offset ?? size),
    );
    expect(overlapping).toEqual([]);
  });
});

test('rows and blocks that processors own are whole cache lines or whole parts of one', () => {
  const parts = ['LIST_ENTRY', 'DISPATCHER_HEADER', 'KDPC_DATA', 'KWAIT_BLOCK', 'KTIMER'];
  const odd = STRUCTS.filter(({ name }) => !parts.includes(name)).filter(
    ({ size }) => size % 64 !== 0 && 64 % size !== 0,
  );
  expect(odd).toEqual([]);
});

test('fields are chained: each begins where the one before ends', () => {
  const apart = STRUCTS.flatMap(({ name, fields }) =>
    fields.slice(1).flatMap((field, index) => {
      const before = fields[index];
      const end = before === undefined ? 0 : before.offset + before.width;
      return end === field.offset ? [] : [`${name}.${field.name}`];
    }),
  );
  expect(apart).toEqual([]);
});

test('an object that threads wait for begins with a DISPATCHER_HEADER', () => {
  const headers = STRUCTS.filter(({ fields }) => fields[2]?.name === 'WaitListHead').map(
    ({ name, fields }) => [name, ...fields.slice(0, 3).map((f) => `${f.name} ${f.offset}`)],
  );
  expect(headers).toEqual(
    [
      'DISPATCHER_HEADER',
      'KTHREAD',
      'KPROCESS',
      'KOBJECT',
      'KQUEUE',
      'KMUTANT',
      'KTIMER_OBJECT',
    ].map((name) => [name, 'Type 0', 'SignalState 4', 'WaitListHead 8']),
  );
});

test.each([
  { processors: 1 },
  { processors: 3, capacities: { processes: 2, threads: 5, objects: 1, interrupts: 1 } },
  { processors: 65, nodes: 3 },
  { processors: 2048, nodes: 64 },
])('the regions of a machine with %o are disjoint and begin on cache lines', (options) => {
  const regions = layOut(resolveOptions(options));
  const first = { name: 'system', address: KSYSTEM.Address, length: KSYSTEM.Size };
  const overlapping = regions.filter(({ address }, index) => {
    const before = index === 0 ? first : regions[index - 1];
    return before === undefined || before.address + before.length > address;
  });
  expect(overlapping).toEqual([]);
  expect(regions.filter(({ address }) => address % 64 !== 0)).toEqual([]);
});

test('the printed map is the one on record', async () => {
  const regions = layOut(resolveOptions({ processors: 4 }));
  await expect(printMap(regions)).toMatchFileSnapshot('golden/layout.txt');
});
