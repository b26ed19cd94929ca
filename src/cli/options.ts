import { InvalidArgumentError, Option } from 'commander';

/** Reads `--processors`: 1 to 2048. */
export function processorCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 2048) {
    throw new InvalidArgumentError('give an integer from 1 to 2048');
  }
  return count;
}

export function profileOption(): Option {
  return new Option('--profile <profile>', 'edition')
    .choices(['client', 'server'])
    .default('client');
}

export function policyOption(description: string): Option {
  return new Option('--policy <policy>', description).choices(['nt', 'fifo', 'rr']);
}
