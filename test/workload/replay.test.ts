import { expect, test } from 'vitest';
import { readRecording } from '../../src/workload/ftrace';
import { openRecording } from '../../src/workload/open';
import { mapPriority, RecordedWorkload, replay } from '../../src/workload/replay';

test('a replay conserves the run time of each thread to the nanosecond', async () => {
  const workload = new RecordedWorkload();
  const path = 'examples/recordings/build.ftrace.gz';
  await readRecording(await openRecording(path), workload, { name: path });
  const report = await replay(workload, { processors: 2 });
  expect(report.threads.length).toBeGreaterThan(100);
  expect(report.threads.map((thread) => thread.runNs)).toEqual(
    report.threads.map((thread) => thread.recordedRunNs),
  );
});

test('nice 0 is priority 8, and real-time priorities fill 16 to 31', () => {
  expect([100, 120, 139, 98, 0].map(mapPriority)).toEqual([15, 8, 1, 16, 31]);
});
