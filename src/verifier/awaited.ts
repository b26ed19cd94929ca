import { OP, SPIN } from '../../assembly/shared/opcode';
import type { Request } from '../machine/generator';

/** What an instruction of a host thread is about, and whether it waits for that. */

export interface Awaited {
  /** Handles of the objects, of a release too. */
  readonly handles: readonly number[];
  /** It goes on at once if it does not get them. */
  readonly tries: boolean;
}

const handleAt = (request: Request, at: number) =>
  (request[at] as number) + (request[at + 1] as number) * 2 ** 32;

/** Whether a timeout, as two words, is 0. */
const isPoll = (request: Request, at: number) => request[at] === 0 && request[at + 1] === 0;

/** Of a wait for one or several objects, and of taking or releasing a lock of the core's. */
export function awaitedBy(request: Request): Awaited {
  const [word = 0, count = 0] = request;
  switch (word & 0xff) {
    case OP.Wait:
    case OP.RemoveQueue:
      return { handles: [handleAt(request, 1)], tries: isPoll(request, 3) };
    case OP.SignalAndWait:
      return { handles: [handleAt(request, 3)], tries: isPoll(request, 5) };
    case OP.WaitMultiple: {
      const handles = Array.from({ length: count }, (_, each) => handleAt(request, 4 + each * 2));
      return { handles, tries: isPoll(request, 2) };
    }
    case OP.AcquireSpinLock:
      return { handles: [handleAt(request, 1)], tries: ((word >>> 16) & SPIN.Try) !== 0 };
    case OP.ReleaseMutant:
    case OP.ReleaseSpinLock:
      return { handles: [handleAt(request, 1)], tries: false };
    default:
      return { handles: [], tries: false };
  }
}
