import { type Command, InvalidArgumentError, Option } from 'commander';
import { MachineError } from '../index';

/** Reads an integer from `low` to `high`. */
export function integerOption(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < low || value > high) {
      throw new InvalidArgumentError(`give an integer from ${low} to ${high}`);
    }
    return value;
  };
}

/** Reads `--processors`: 1 to 2048. */
export const processorCount = integerOption(1, 2048);

export function profileOption(): Option {
  return new Option('--profile <profile>', 'edition')
    .choices(['client', 'server'])
    .default('client');
}

export function policyOption(description: string): Option {
  return new Option('--policy <policy>', description).choices(['nt', 'fifo', 'rr']);
}

export function liveThreadsOption(): Option {
  return new Option(
    '--live-threads <n>',
    'room for threads alive at once; default: 65536',
  ).argParser(integerOption(1, 1_000_000));
}

/**
 * Refuses options that are given beside an input that they would do nothing for.
 *
 * @param goesWith option (as commander spells it) → the inputs that it is for; others are for all.
 * @throws MachineError that names the option and what it goes with.
 */
export function refuseIdle(
  command: Command,
  input: string,
  goesWith: Readonly<Record<string, readonly string[]>>,
): void {
  for (const option of command.options) {
    const name = option.attributeName();
    const inputs = goesWith[name];
    if (inputs === undefined || inputs.includes(input)) continue;
    if (command.getOptionValueSource(name) !== 'cli') continue;
    throw new MachineError(
      `${command.name()}: ${option.long} goes with ${inputs.join(' or ')}, not with ${input}`,
    );
  }
}
