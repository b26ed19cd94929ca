import { STATUS } from '../../assembly/shared/status';
import type { Machine } from '../../src/machine/machine';
import type { KProcess } from '../../src/machine/views';
import type { PsPicoProviderRoutines } from '../../src/subsystem/provider';
import { PsRegisterPicoProvider } from '../../src/subsystem/provider';
import type { PsPicoRoutines, PsPicoThreadAttributes } from '../../src/subsystem/routines';

/** A provider whose routines do nothing but what a test gives. */
export function providerOf(routines: Partial<PsPicoProviderRoutines> = {}): PsPicoProviderRoutines {
  return {
    Name: 'testcore',
    DispatchSystemCall: () => {},
    ExitThread: () => {},
    ExitProcess: () => {},
    DispatchException: () => false,
    TerminateProcess: () => STATUS.SUCCESS,
    WalkUserStack: () => [],
    ...routines,
  };
}

export type DriverBody = (routines: PsPicoRoutines) => Generator<readonly number[], void, number>;

/** Registers a provider in a system thread, which then runs `body` with the kernel's routines. */
export function asProvider(
  machine: Machine,
  routines: Partial<PsPicoProviderRoutines>,
  body: DriverBody,
): void {
  machine.systemProcess.createThread(
    function* () {
      const { status, picoRoutines } = yield* PsRegisterPicoProvider(providerOf(routines));
      if (picoRoutines === null) throw new Error(`not registered: 0x${status.toString(16)}`);
      yield* body(picoRoutines);
    },
    { name: 'provider' },
  );
}

export interface PicoChild {
  readonly body: PsPicoThreadAttributes['StartRoutine'];
  readonly context?: unknown;
  readonly path?: string | null;
  readonly commandLine?: string | null;
  readonly file?: { readonly FileName: string } | null;
}

/** Makes a pico process of System's with one thread, and starts that. */
export function* startPico(
  machine: Machine,
  routines: PsPicoRoutines,
  { body, context = null, path = null, commandLine = null, file = null }: PicoChild,
): Generator<readonly number[], KProcess, number> {
  const { process } = yield* routines.CreateProcess({
    ParentProcess: machine.systemProcess,
    Context: context,
    ImageFileName: path,
    CommandLine: commandLine,
    FileObject: file,
  });
  if (process === undefined) throw new Error('no process');
  const { thread } = yield* routines.CreateThread({
    Process: process,
    Context: context,
    StartRoutine: body,
  });
  if (thread !== undefined) yield* routines.ResumeThread(thread);
  return process;
}
