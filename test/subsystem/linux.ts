import { Machine } from '../../src/machine/machine';
import type { MachineOptions } from '../../src/machine/options';
import type { RunResult } from '../../src/machine/result';
import type { LinuxMain } from '../../src/subsystem/wsl/user';
import { type LinuxSpawn, WslSubsystem } from '../../src/subsystem/wsl/wsl';

export interface LinuxRun {
  readonly machine: Machine;
  readonly wsl: WslSubsystem;
  readonly spawn: LinuxSpawn;
  readonly result: RunResult;
  readonly output: string;
}

/** Runs a program of Linux until nothing is left to do. A bugcheck is thrown. */
export async function runLinux(
  main: LinuxMain,
  prepare: (wsl: WslSubsystem) => void = () => {},
  options: MachineOptions = {},
): Promise<LinuxRun> {
  const machine = await Machine.create(options);
  let output = '';
  const wsl = new WslSubsystem(machine, {
    output: (text) => {
      output += text;
    },
  });
  wsl.install('/init', main);
  prepare(wsl);
  const spawn = wsl.spawn('/init');
  const result = machine.run();
  if (result.reason === 'bugcheck') throw result.cause ?? new Error(result.explanation);
  return { machine, wsl, spawn, result, output };
}
