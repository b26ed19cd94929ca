import { type EventRecording, readEvents } from '../index';
import { openRecording } from './open';
import { Progress } from './progress';

/** Reads recorded process events; `host` chooses one of several machines. */
export async function readEventFile(
  path: string,
  host: string | undefined,
): Promise<EventRecording> {
  const input = await openRecording(path);
  const reading = new Progress('reading', input.sizeBytes);
  return await readEvents(input, {
    name: input.name,
    ...(host === undefined ? {} : { host }),
    onProgress: () => reading.update(input.bytesRead),
  }).finally(() => reading.stop());
}
