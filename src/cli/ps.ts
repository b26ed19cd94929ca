import type { Command } from 'commander';
import {
  type InspectedHandle,
  type InspectedProcess,
  inspectHandles,
  inspectProcess,
  type Machine,
  runWorkload,
} from '../index';
import { integerOption, processorCount, profileOption } from './options';
import { handleLines, processHead, processLines } from './ps-text';
import { readWorkload } from './rtapp/read';
import { textOf } from './text';

interface PsFlags {
  readonly at: number;
  readonly process?: number;
  readonly brief?: boolean;
  readonly handles?: boolean;
  readonly processors?: number;
  readonly profile: 'client' | 'server';
  readonly json?: boolean;
}

/** The machine as it stands when a workload has run for so long. */
async function machineAt(path: string, flags: PsFlags): Promise<Machine> {
  const workload = readWorkload(await textOf(path), path === '-' ? '<stdin>' : path);
  let machine: Machine | undefined;
  const { profile, processors, at } = flags;
  await runWorkload(
    { ...workload, durationNs: at * 1e6 },
    {
      profile,
      ...(processors === undefined ? {} : { processors }),
      onStart: (started) => {
        machine = started;
      },
    },
  );
  return machine as Machine;
}

interface Shown extends InspectedProcess {
  /** Absent: not asked for. */
  readonly handles?: readonly InspectedHandle[];
}

/** Children behind and below their parents; who has none here is at the left. */
function tree(processes: readonly Shown[]): [depth: number, Shown][] {
  const ids = new Set(processes.map(({ processId }) => processId));
  const below = (parent: number, depth: number): [number, Shown][] =>
    processes
      .filter(({ parentProcessId: id, processId }) =>
        depth === 0 ? !ids.has(id) || id === processId : id === parent && id !== processId,
      )
      .flatMap((process) => [
        [depth, process] as [number, Shown],
        ...below(process.processId, depth + 1),
      ]);
  return below(0, 0);
}

function print(machine: Machine, processes: readonly Shown[], brief: boolean): void {
  const { now, profile } = machine;
  for (const [depth, process] of tree(processes)) {
    const indent = '    '.repeat(brief ? depth : 0);
    const lines = brief
      ? processHead(process)
      : processLines(process, now, profile.clockIntervalNs);
    if (process.handles !== undefined) lines.push(...handleLines(process.handles));
    console.log(lines.map((line) => `${indent}${line}`.trimEnd()).join('\n'));
  }
}

async function psCommand(path: string, flags: PsFlags): Promise<void> {
  const machine = await machineAt(path, flags);
  const processes = [...machine.allProcesses()]
    .map((process) => ({
      ...inspectProcess(process),
      ...(flags.handles === true ? { handles: inspectHandles(process) } : {}),
    }))
    .filter(({ processId }) => flags.process === undefined || processId === flags.process);
  if (flags.json === true) console.log(JSON.stringify({ nowNs: machine.now, processes }, null, 2));
  else print(machine, processes, flags.brief === true);
}

/** Registers `ntps ps`. */
export function addPsCommand(cli: Command): void {
  cli
    .command('ps')
    .description(
      'show the processes and threads of a run as a kernel debugger does (!process 0 7), at a time of it',
    )
    .argument('<workload>', 'rt-app workload (JSON, - for standard input)')
    .option('--at <ms>', 'virtual time', integerOption(0, 9_007_199_254), 1000)
    .option('--process <id>', 'only this one', integerOption(0, 0x7fffffff))
    .option('--brief', 'processes only, children below their parents (!process 0 0)')
    .option('--handles', 'the handles of each process too (!handle)')
    .option('--processors <n>', 'processors of the machine', processorCount)
    .addOption(profileOption())
    .option('--json', 'print everything as JSON')
    .action(psCommand);
}
