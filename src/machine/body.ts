import { MachineError } from './errors';
import { forget, isGenerator, type Request } from './generator';
import { inWords } from './given';
import type { HostBody } from './guest';
import type { Machine, ThreadBody } from './machine';
import { LoadedPort } from './ports';
import type { LoadedProgram } from './program';

const GIVE =
  'give a generator function, what loadProgram or loadPort has returned, or a CpuPort with run()';

const NOT_LOADED = 'is a program that has not been loaded; give machine.loadProgram(program)';

const ASYNC = ['AsyncFunction', 'AsyncGeneratorFunction'];

/** What is wrong with something that is no body, and what to give. */
function remedy(body: unknown): string {
  if (typeof body !== 'object' || body === null) return `is ${inWords(body)}; ${GIVE}`;
  if ('then' in body) return 'is a Promise; await it: await machine.loadPort(…)';
  if (isGenerator(body))
    return 'is a generator, which has been called already; give the generator function itself';
  if ('words' in body) return NOT_LOADED;
  return `is ${inWords(body)}; ${GIVE}`;
}

function foreign(routine: string, what: string): string {
  return `${routine}: the ${what} was loaded into another machine; load it into this one`;
}

/** Throws unless it is a body of threads of this machine, as far as that can be seen without calling it. */
export function requireBody(machine: Machine, routine: string, body: ThreadBody): void {
  if (typeof body === 'function') {
    if (!ASYNC.includes(Object.getPrototypeOf(body)?.constructor?.name)) return;
    throw new MachineError(
      `${routine}: the body is ${inWords(body)}, which is async; give a generator function: function* () { … }`,
    );
  }
  if (typeof body === 'object' && body !== null) {
    if ('run' in body && typeof body.run === 'function') return;
    const { machine: owner, address } = body as Partial<LoadedProgram>;
    if (owner === machine && (address !== undefined || body instanceof LoadedPort)) return;
    if (owner !== undefined && owner !== machine) {
      const what =
        body instanceof LoadedPort
          ? `port ${body.url}`
          : `program '${(body as LoadedProgram).name}'`;
      throw new MachineError(foreign(routine, what));
    }
  }
  throw new MachineError(`${routine}: the body ${remedy(body)}`);
}

/** Throws unless a program, in place of a routine of the host's, is one of this machine's. */
export function requireOwnProgram(machine: Machine, routine: string, program: LoadedProgram): void {
  const { machine: owner, name } = (program ?? {}) as Partial<LoadedProgram>;
  if (owner === machine) return;
  throw new MachineError(
    owner === undefined
      ? `${routine}: the routine ${remedyOfRoutine(program)}`
      : foreign(routine, `program '${name}'`),
  );
}

function remedyOfRoutine(routine: unknown): string {
  return typeof routine === 'object' && routine !== null && 'words' in routine
    ? NOT_LOADED
    : `is ${inWords(routine)}; give a function or what machine.loadProgram returned`;
}

/** What a body has returned, which must be a generator. */
export function requireGenerator(
  body: HostBody,
  result: unknown,
): Generator<Request, void, number> {
  if (isGenerator<void>(result)) return result;
  if (result instanceof Promise) forget(result);
  throw new MachineError(
    `createThread: ${inWords(body)} returned ${inWords(result)}, no generator; give a generator function: function* () { … }`,
  );
}
