import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { type EventRecording, readEvents, replayEvents, writeEvents } from 'ntps';
import { expect, test } from 'vitest';
import { record as recordUntyped } from '../../examples/recordings/record-events.mjs';

const record = recordUntyped as () => Promise<EventRecording>;
const FILE = 'examples/recordings/workstation.events.jsonl.gz';
const text = gunzipSync(readFileSync(FILE)).toString();

const readBack = (): Promise<EventRecording> =>
  readEvents(Readable.from([new TextEncoder().encode(text)]), { name: 'workstation' });

test('the recording of a workstation is what record-events.mjs makes, to the byte', async () => {
  expect([...writeEvents(await record())].join('')).toBe(text);
});

test('the recording of a workstation is read as it was written', async () => {
  const { counts, processes, warnings } = await readBack();
  expect([counts, processes.length, warnings]).toEqual([
    {
      'process-create': 15,
      'process-exit': 15,
      'thread-create': 16,
      'thread-exit': 18,
      'image-load': 68,
      'driver-load': 0,
      'process-access': 17,
    },
    16,
    [],
  ]);
});

test('the recording of a workstation is replayed without a difference', async () => {
  const { comparison, notDone, actions } = await replayEvents(await readBack());
  expect([actions, notDone, comparison.equal, comparison.differences]).toEqual([104, [], 149, []]);
});
