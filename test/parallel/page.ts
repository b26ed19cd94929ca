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

/** Guests of the reference port that add to a word they share, and make system calls. */
const SOURCE = `
  CALL = 1
  start: li r2, 1
         li r5, 0x800
  round: li r3, 400
  stir:  mul r2, r2, r3
         addi r2, r2, 12345
         addi r3, r3, -1
         bne r3, r0, stir
         aadd r4, [r5], r1
         syscall CALL, r2
         jmp round
`;

/** The same with guests of the reference port, which is at `url`. */
export async function referenceMachine(
  { Machine: machines, assemblePort, portState, program }: Ntps,
  url: string | URL,
  options: MachineOptions,
): Promise<Machine> {
  const machine = await machines.create({ processors: 3, seed: 11, ...options });
  const port = await machine.loadPort({ url });
  const image = assemblePort(SOURCE, { name: 'add' });
  machine.guestMemory.bytes.set(image.bytes, image.origin);
  const call = program('call', (p) => p.compute(150));
  machine.onSystemCall(1, machine.loadProgram(call));
  const process = machine.createProcess();
  for (let guest = 1; guest <= 4; guest++) {
    const state = portState({ entry: image.entry, registers: { r1: guest } });
    process.createThread(port, { portState: state });
  }
  return machine;
}

/** What a machine has come to, after a run. */
export function outcomeOf(machine: Machine): string {
  const { bytes } = machine.guestMemory;
  const added = new Int32Array(bytes.buffer, bytes.byteOffset)[0x800 / 4];
  return `${machine.digest}, ${machine.steps} steps, ${added} added`;
}
