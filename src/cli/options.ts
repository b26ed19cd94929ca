import { InvalidArgumentError, Option } from 'commander';

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
