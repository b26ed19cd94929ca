import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { readBytes } from './log-text';
import type { EventRecording } from '../../../src/workload/events/model';

/** Recordings of others are read where they lie and are no part of the project. */
const PATH = join(
  import.meta.dirname,
  '../../../../shared/data/sysmon-aptsimulator/aptsimulator_cobaltstrike.zip',
);

export const hasSharedRecording = existsSync(PATH);

/** The text of the zip file's only member. */
function sharedText(): Uint8Array {
  const zip = readFileSync(PATH);
  const start = 30 + zip.readUInt16LE(26) + zip.readUInt16LE(28);
  return inflateRawSync(zip.subarray(start));
}

let recording: EventRecording | undefined;

/** Sysmon's and the Security log of Windows 10 over 51 s, from Security-Datasets (MIT). */
export function sharedRecording(): EventRecording {
  recording ??= readBytes(sharedText(), 1 << 18);
  return recording;
}
