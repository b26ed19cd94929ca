/**
 * A machine whose guests are worker ports', for pages and Node alike. This file is also loaded as it is
 * into browsers, so it imports nothing at run time.
 */
import type { Machine, MachineOptions } from '../../src/index';

type Ntps = typeof import('../../src/index');

/** Four guests that compute, add to a word that others see, and make system calls. */
const COMPUTE = 1;
const CALL = 2;
const ADD = 3;
const JUMP = 4;
const SCRIPT = [
  ...[COMPUTE, 2700, 0],
  ...[ADD, 0x800, 1],
  ...[CALL, 1, 5],
  ...[COMPUTE, 333, 0],
  ...[CALL, 2, 6],
  ...[JUMP, 0, 40],
];

/** The machine, ready to run. */
export async function guestMachine(
  { Machine: machines, program }: Ntps,
  url: string | URL,
  options: MachineOptions,
): Promise<Machine> {
  const machine = await machines.create({ processors: 3, seed: 11, ...options });
  const port = await machine.loadPort({ url });
  const { bytes } = machine.guestMemory;
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4).set(SCRIPT);
  const event = machine.createEvent('synchronization');
  machine.onSystemCall(1, () => event.set(1));
  const wait = program('call', (p) => p.compute(150).wait(event, { timeoutNs: 20_000 }));
  machine.onSystemCall(2, machine.loadProgram(wait));
  const process = machine.createProcess();
  for (let guest = 0; guest < 4; guest++) process.createThread(port);
  return machine;
}

/** What a machine has come to, after a run. */
export function outcomeOf(machine: Machine): string {
  const { bytes } = machine.guestMemory;
  const added = new Int32Array(bytes.buffer, bytes.byteOffset)[0x800 / 4];
  return `${machine.digest}, ${machine.steps} steps, ${added} added`;
}
