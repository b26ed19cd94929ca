import { KiRun } from './index';
import { KiHandToHost, KiIsWanted, KiReleaseEngine, KiTryEngine } from './ke/parallel';
import { STOP } from './shared/types';

/** What the core has for workers besides what it has for the host. */

export * from './index';
export {
  KiBeginPiece,
  KiEndPiece,
  KiIdle,
  KiReleaseEngine,
  KiWake,
  KiWantsTurn,
} from './ke/parallel';

/** What a worker's turn with the kernel came to. */
const enum TURN {
  /** Another has the kernel. */
  None = 0,
  Done = 1,
  /** The host has it now. */
  Host = 2,
}

/** Takes the kernel if nobody has it, and steps it as far as it goes without the flights; `owner` is the worker's number plus one. */
export function KiEngineTurn(owner: u32): u32 {
  if (!KiTryEngine(owner)) return TURN.None;
  const stop = KiIsWanted() ? STOP.Requested : KiRun();
  if (stop == STOP.Flight) {
    KiReleaseEngine(false);
    return TURN.Done;
  }
  KiHandToHost(stop);
  return TURN.Host;
}
