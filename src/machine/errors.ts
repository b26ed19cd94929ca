/** Misuse of the host API: names the option or call, and what to do. */
export class MachineError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MachineError';
  }
}
