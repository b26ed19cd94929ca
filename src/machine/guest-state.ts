import type { CallRoutine, HostFrame } from './frames';
import type { Context, CpuPort, Hosted, PortResult, Prologue } from './guest';
import type { KThread } from './views';

/** What the host executes of a thread, or of a routine in front of any. */
export interface GuestState {
  /** The last that ran there. */
  context: Context | undefined;
  hosted: Hosted | undefined;
  /** What it runs before its body. */
  prologue: Prologue | undefined;
  port: { readonly port: CpuPort; pending: PortResult | undefined } | undefined;
  /** The host's frames in front of it, the last one on top. */
  frames: HostFrame[] | undefined;
  /** What answers the call it has just made, in a frame that the core is about to make. */
  answer: CallRoutine | undefined;
  /** Its end has begun, and whether that has instructions of its own. */
  ending: boolean;
  exiting: boolean;
}

export const newState = (): GuestState => ({
  context: undefined,
  hosted: undefined,
  prologue: undefined,
  port: undefined,
  frames: undefined,
  answer: undefined,
  ending: false,
  exiting: false,
});

/** @internal What the host executes of a thread. */
export function stateOf(thread: KThread): GuestState {
  thread.guestState ??= newState();
  return thread.guestState;
}
