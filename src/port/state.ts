import { PORT_CONTEXT } from '../../assembly/shared/layout';
import { PORT_STATE } from '../../assembly/shared/port';
import { MachineError } from '../machine/errors';
import { requireInteger } from '../machine/profile';

/** How a guest of the reference port begins. */
export interface PortStateOptions {
  /** Address of the first instruction, a multiple of 4. Default 0. */
  readonly entry?: number;
  /** By name: r1 to r15, sp (r14) or lr (r15); 32 bits, with a sign or without. */
  readonly registers?: Readonly<Record<string, number>>;
  /** Where the guest's own address 0 is in the guests' memory, and how far it sees. Default: all of it. */
  readonly windowBase?: number;
  readonly windowBytes?: number;
}

const WORD = 2 ** 32 - 1;
const NAMES: ReadonlyMap<string, number> = new Map([
  ...Array.from({ length: PORT_STATE.RegisterCount - 1 }, (_, n): [string, number] => [
    `r${n + 1}`,
    n + 1,
  ]),
  ['sp', 14],
  ['lr', 15],
]);

/** The words of a new guest's context behind those that every port has. */
export function portState(options: PortStateOptions = {}): Uint32Array {
  const { entry = 0, registers = {}, windowBase = 0, windowBytes = 0 } = options;
  const words = new Uint32Array((PORT_CONTEXT.Size - PORT_CONTEXT.Own) / 4);
  const set = (offset: number, value: number) => {
    words[(offset - PORT_CONTEXT.Own) / 4] = value;
  };
  if (requireInteger('portState: entry', entry, 0, WORD) % 4 !== 0)
    throw new MachineError(`portState: entry is ${entry}; give a multiple of 4`);
  set(PORT_STATE.Pc, entry);
  set(PORT_STATE.WindowBase, requireInteger('portState: windowBase', windowBase, 0, WORD));
  set(PORT_STATE.WindowBytes, requireInteger('portState: windowBytes', windowBytes, 0, WORD));
  for (const [name, value] of Object.entries(registers)) {
    const number = NAMES.get(name);
    if (number === undefined)
      throw new MachineError(
        `portState: '${name}' is no register to begin with; give r1 to r15, sp or lr (r0 is always 0)`,
      );
    requireInteger(`portState: registers.${name}`, value, -(2 ** 31), WORD);
    set(PORT_STATE.Register + number * 4, value);
  }
  return words;
}
