/** What happens in any machine, as a recording of process events. */
import type { Machine } from '../../machine/machine';
import type { EventRecording } from './model';
import { EventSensor } from './sensor';

/** Notes what drivers are told of a machine. `writeEvents` writes it down. */
export class EventRecorder {
  readonly #sensor: EventSensor;

  constructor(machine: Machine) {
    const sensor = new EventSensor(machine);
    this.#sensor = sensor;
    sensor.begin();
    const attaching = function* () {
      yield* sensor.attach();
    };
    machine.systemProcess.createThread(attaching, { name: 'event recorder' }).close();
  }

  /** All that has happened so far; the recording gets a name. */
  recording(name: string): EventRecording {
    return this.#sensor.recording(name);
  }
}

/**
 * Records the processes, threads, images and process handles of a machine, from when it next runs: by
 * the routines that any driver registers.
 */
export function recordEvents(machine: Machine): EventRecorder {
  return new EventRecorder(machine);
}
