import { InputError } from '../machine/errors';

/** A recording that cannot be read at all. */
export class RecordingError extends InputError {
  override readonly name = 'RecordingError';
}

/** A workload that cannot be read, or cannot be run as it says. */
export class WorkloadError extends InputError {
  override readonly name = 'WorkloadError';
}

/** Thrown by an input whose compressed data ends early or is damaged: all before it was good. */
export class InputDamaged extends Error {
  override readonly name = 'InputDamaged';
}
