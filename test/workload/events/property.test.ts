import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EventRecording, ProcessEvent } from '../../../src/workload/events/model';
import { access, create, exit, guid, load, read, readBytes, security, sysmon } from './log-text';

/** Few ids and GUIDs, so that they meet; times go back and forth. */
const id = fc.constantFrom(8, 12, 16, 20);
const at = fc.integer({ min: 0, max: 12_000 }).map((ms) => ms / 1000);
const image = fc.constantFrom('a.exe', 'b.exe');
const name = fc.option(
  fc.tuple(fc.constantFrom(1, 2, 90), fc.constantFrom(1, 2, 3)).map(([s, n]) => guid(s, n)),
);
const of = (process: number, guid: string | null) =>
  guid === null ? { ProcessId: `${process}` } : { ProcessId: `${process}`, ProcessGuid: guid };

const line = fc.oneof(
  fc
    .tuple(at, id, image, id, name, name)
    .map(([t, p, i, q, a, b]) =>
      create(t, p, i, q, { ...of(p, a), ...(b === null ? {} : { ParentProcessGuid: b }) }),
    ),
  fc.tuple(at, id, name).map(([t, p, a]) => exit(t, p, of(p, a))),
  fc.tuple(at, id, name).map(([t, p, a]) => load(t, p, 'x.dll', of(p, a))),
  fc
    .tuple(at, id, id, name)
    .map(([t, p, q, b]) => access(t, p, q, b === null ? {} : { TargetProcessGUID: b })),
  fc
    .tuple(at, id, id)
    .map(([t, p, q]) =>
      sysmon(8, t, { SourceProcessId: p, TargetProcessId: q, NewThreadId: p + 1 }),
    ),
  fc.tuple(at, id, id).map(([t, p, q]) => security(4688, t, { NewProcessId: p, ProcessId: q })),
  fc.tuple(at, id).map(([t, p]) => security(4689, t, { ProcessId: p, Status: 1 })),
);

function partsOf(event: ProcessEvent): number[] {
  if (event.kind === 'driver-load') return [];
  if (event.kind === 'process-access') return [event.source, event.target];
  const creator = 'creator' in event ? event.creator : undefined;
  return creator === undefined ? [event.process] : [event.process, creator];
}

/** What is wrong with a history, whatever it was made of. */
function faults({ processes, events, durationNs }: EventRecording): string[] {
  const found: string[] = [];
  const alive = new Set(
    processes.filter(({ birth }) => birth === 'before').map(({ index }) => index),
  );
  let last = 0;
  events.forEach((event, place) => {
    if (event.timeNs < last || event.timeNs > durationNs) found.push(`${place}: time`);
    last = event.timeNs;
    if (event.kind === 'process-create') {
      if (alive.has(event.process)) found.push(`${place}: created twice`);
      alive.add(event.process);
    }
    for (const part of partsOf(event)) if (!alive.has(part)) found.push(`${place}: ${part} is not`);
    if (event.kind === 'process-exit') alive.delete(event.process);
  });
  for (const { index, exit, id } of processes) {
    if (alive.has(index) !== (exit === 'never')) found.push(`${index}: its exit`);
    const same = processes.filter((other) => other.id === id && other.exit === 'never');
    if (same.length > 1) found.push(`${index}: its id is another's`);
  }
  return found;
}

test('whatever is told, processes act only between their creation and their exit', () => {
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 40 }), (lines) => {
      expect(faults(read(...lines))).toEqual([]);
    }),
    { numRuns: 3000 },
  );
});

test('whatever is told is the same wherever its bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 10 }),
      fc.integer({ min: 1, max: 400 }),
      (lines, chunkBytes) => {
        const bytes = new TextEncoder().encode(lines.join(''));
        expect(readBytes(bytes, chunkBytes)).toEqual(readBytes(bytes));
      },
    ),
    { numRuns: 200 },
  );
});

test('whatever bytes are given, they are read or refused with a place', () => {
  const bytes = new TextEncoder().encode(create(1, 8, 'a.exe', 4) + load(2, 8, 'b.dll'));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (changes) => {
        const damaged = bytes.slice();
        for (const [place, byte] of changes) damaged[place] = byte;
        try {
          expect(faults(readBytes(damaged))).toEqual([]);
        } catch (error) {
          expect(error).toMatchObject({ name: 'RecordingError' });
          expect((error as Error).message).toMatch(/^log:\d+:\d+: .+; .+/);
        }
      },
    ),
    { numRuns: 2000 },
  );
});
