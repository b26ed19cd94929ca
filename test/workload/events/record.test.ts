import { expect, test } from 'vitest';
import { Machine } from '../../../src/machine/machine';
import { processManager } from '../../../src/ps/manager';
import { recordEvents } from '../../../src/workload/events/record';
import { writeEvents } from '../../../src/workload/events/write';
import { read } from './log-text';

test('recordEvents notes what happens in a machine from when it runs; it can be written and read', async () => {
  const machine = await Machine.create();
  const recorder = recordEvents(machine);
  machine.run();
  processManager(machine).createProcess({
    image: 'C:\\a.exe',
    commandLine: 'a 1',
    main: function* () {},
  });
  machine.run();
  const recording = recorder.recording('own');
  expect(recording.events.map(({ kind }) => kind)).toEqual([
    'process-create',
    'thread-create',
    'thread-exit',
    'image-load',
    'image-load',
    'image-load',
    'image-load',
    'thread-exit',
    'process-exit',
  ]);
  const again = read(...writeEvents(recording));
  expect(again.events).toEqual(recording.events);
  expect(again.processes.map(({ image, commandLine }) => [image, commandLine])).toEqual([
    ['System', undefined],
    ['C:\\a.exe', 'a 1'],
  ]);
});

test('a recorder sees nothing of what was before it', async () => {
  const machine = await Machine.create();
  processManager(machine).createProcess({ image: 'C:\\a.exe' });
  machine.run();
  const recorder = recordEvents(machine);
  machine.run();
  expect(recorder.recording('own').events).toEqual([]);
});
