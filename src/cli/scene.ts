import { Machine, MachineError, type MachineOptions, machineNames, type RunResult } from '../index';
import { importDefault } from './module-file';
import { TraceFile } from './trace-file';

/** Scenes: JavaScript files that set a machine up, which `ntps run` then lets run. */

/** What a scene's file exports by default, or a function of the library that gives it. */
export interface Scene {
  /** Of the machine; the command's own options go before them. */
  readonly machine?: MachineOptions;
  /** Sets the machine up before it runs; `print` writes a line. */
  readonly start: (machine: Machine, print: (line: string) => void) => void | Promise<void>;
}

export interface SceneFlags {
  readonly processors?: number;
  readonly profile: 'client' | 'server';
  readonly maxEvents?: number;
  readonly out?: string;
}

/** Whether a path is that of a scene, not of a workload. */
export const isScene = (path: string): boolean => /\.[cm]?js$/.test(path);

export async function importScene(file: string): Promise<Scene> {
  const scene = await importDefault(file, 'scene');
  const start = typeof scene === 'object' && scene !== null && 'start' in scene;
  if (!start || typeof scene.start !== 'function')
    throw new MachineError(
      `${file}: its default export is no scene; export { machine, start }, or a function (ntps) => that`,
    );
  return scene as Scene;
}

/** How it ended, in words; a bugcheck makes the command fail. */
function ending(result: RunResult): string[] {
  const at = `${(result.now / 1e6).toFixed(3)} ms`;
  if (result.reason === 'bugcheck') {
    process.exitCode = 1;
    const cause = result.cause instanceof Error ? [result.cause.message] : [];
    return [`bugcheck ${result.name} at ${at}`, result.explanation, ...cause];
  }
  const left =
    result.reason === 'idle'
      ? result.waiting.map(({ process, name, waitsFor = '' }) => `${process}, ${name}: ${waitsFor}`)
      : [];
  const waits = left.length === 0 ? '' : `; ${left.length} threads wait for ever`;
  return [`ended: ${result.reason} at ${at}${waits}`, ...left];
}

/** Runs a scene. */
export async function runScene(path: string, flags: SceneFlags): Promise<void> {
  const scene = await importScene(path);
  const { processors, profile, maxEvents } = flags;
  const machine = await Machine.create({
    profile,
    ...scene.machine,
    ...(processors === undefined ? {} : { processors }),
  });
  const file = flags.out === undefined ? undefined : new TraceFile(flags.out);
  try {
    file?.record(machine, machineNames(machine));
    await scene.start(machine, (line) => console.log(line));
    const result = machine.run(maxEvents === undefined ? {} : { maxEvents });
    file?.finish();
    for (const line of [...ending(result), `digest ${machine.digest}`]) console.log(line);
  } catch (error) {
    file?.discard();
    throw error;
  }
}
