import type { KProcess } from '../machine/views';
import { Hints } from './hints';

/** What can be set of a process and has no other place: made when somebody sets it. */
export class ProcessSettings extends Hints {
  /** SEM_… flags; 1: critical errors are not shown. */
  defaultHardErrorMode = 1;
  /** PROCESS_DEBUG_INHERIT: new processes have its debugger too. */
  debugFlags = 1;
  /** Bytes: 50 and 345 pages. */
  minimumWorkingSetSize = 204_800n;
  maximumWorkingSetSize = 1_413_120n;
  /** Its working set is watched. */
  watched = false;
}

const NOTHING_SET: Readonly<ProcessSettings> = Object.freeze(new ProcessSettings());
const settings = new WeakMap<KProcess, ProcessSettings>();

/** What has been set of a process, to be read. */
export function processSettings(process: KProcess): Readonly<ProcessSettings> {
  return settings.get(process) ?? NOTHING_SET;
}

/** The same, to be written. */
export function ownProcessSettings(process: KProcess): ProcessSettings {
  const known = settings.get(process);
  if (known !== undefined) return known;
  const made = new ProcessSettings();
  settings.set(process, made);
  return made;
}
