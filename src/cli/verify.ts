import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  analyzeBugCheck,
  checkDriver,
  describeFinding,
  type Finding,
  type Machine,
  MachineError,
  NEIGHBOURS,
  Neighbourhood,
  type RunResult,
  readEvents,
  replayEvents,
  toSarif,
  type Verification,
  verifyDrivers,
} from '../index';
import { type DriverFile, importDriver, LoadedDrivers } from './driver-file';
import { openRecording } from './open';
import { refuseIdle } from './options';
import { importScene, type Scene } from './scene';

interface VerifyFlags {
  readonly events?: string;
  readonly scenario?: string;
  readonly host?: string;
  readonly neighbours?: readonly string[];
  readonly rules?: readonly string[];
  readonly sarif?: string;
  readonly json?: boolean;
}

interface Verified {
  readonly findings: readonly Finding[];
  readonly result: RunResult;
}

const namesOf = (names: readonly string[] = []) => (names.includes('all') ? 'all' : names);

/** What a driver does while recorded events are replayed. */
async function verifyOnEvents(driver: DriverFile, flags: VerifyFlags): Promise<Verified> {
  const { events = '', host, rules } = flags;
  const input = await openRecording(events);
  const recording = await readEvents(input, {
    name: input.name,
    ...(host === undefined ? {} : { host }),
  });
  const loaded = new LoadedDrivers([driver]);
  const beside = new Neighbourhood(namesOf(flags.neighbours));
  let verification: Verification | undefined;
  const report = await replayEvents(recording, {
    onBoot: (machine) => beside.boot(machine),
    onProgress: (done) => {
      if (done === 1) beside.start();
    },
    onStart: (machine) => {
      const drivers = [driver.options.name];
      verification = verifyDrivers(machine, { drivers, ...(rules === undefined ? {} : { rules }) });
      beside.load(machine);
      loaded.load(machine);
    },
  });
  const result =
    report.result.reason === 'bugcheck' ? report.result : (loaded.unload() ?? report.result);
  return { findings: verification?.ended(result) ?? [], result };
}

/** What a scene does while a driver is loaded; it prints only where that does not come between JSON. */
function startOf({ start }: Scene, prints: boolean): (machine: Machine) => void | Promise<void> {
  return (machine) => start(machine, (line) => prints && console.log(line));
}

async function verifyOne(driver: DriverFile, flags: VerifyFlags): Promise<Verified> {
  if (flags.events !== undefined) return verifyOnEvents(driver, flags);
  const { neighbours, rules, scenario } = flags;
  const scene = scenario === undefined ? undefined : await importScene(scenario);
  return checkDriver(driver.options, {
    ...(scene === undefined ? {} : { scenario: startOf(scene, flags.json !== true) }),
    ...(scene?.machine === undefined ? {} : { machine: scene.machine }),
    neighbours: namesOf(neighbours),
    ...(rules === undefined ? {} : { rules }),
  });
}

const plain = (_key: string, value: unknown) =>
  typeof value === 'bigint' ? `0x${value.toString(16)}` : value;

async function verifyCommand(
  files: readonly string[],
  flags: VerifyFlags,
  command: Command,
): Promise<void> {
  if (flags.events !== undefined && flags.scenario !== undefined)
    throw new MachineError('verify: give --scenario or --events, not both');
  if (flags.events === undefined)
    refuseIdle(command, 'processes of its own', { host: ['--events'] });
  const findings: Finding[] = [];
  const paths: Record<string, string> = {};
  let stopped = false;
  for (const file of files) {
    const driver = await importDriver(file);
    paths[driver.options.name] = resolve(file);
    const verified = await verifyOne(driver, flags);
    findings.push(...verified.findings);
    const { reason } = verified.result;
    stopped ||= reason !== 'idle' && reason !== 'time';
    if (flags.json === true) continue;
    for (const finding of verified.findings) console.log(describeFinding(finding));
    const count = verified.findings.length;
    const how = count === 0 ? 'no findings' : `${count} finding${count === 1 ? '' : 's'}`;
    console.log(`${driver.options.name}: ${how}; the run ended: ${reason}`);
    if (verified.result.reason === 'bugcheck') console.log(analyzeBugCheck(verified.result));
  }
  if (flags.json === true) console.log(JSON.stringify(findings, plain, 2));
  if (flags.sarif !== undefined)
    writeFileSync(flags.sarif, `${JSON.stringify(toSarif(findings, paths), plain, 2)}\n`);
  if (findings.length > 0 || stopped) process.exitCode = 1;
}

/** Adds `ntps verify`. */
export function addVerifyCommand(cli: Command): void {
  cli
    .command('verify')
    .description(
      'load drivers, have processes, threads, images and handles come and go, and report what they do against the rules',
    )
    .argument('<driver...>', 'modules that export { name, DriverEntry, DriverUnload }')
    .option('--scenario <file>', 'a scene, as of ntps run, in place of the built-in scenario')
    .option('--events <file>', 'replay these process events in place of the built-in scenario')
    .option('--host <name>', 'of the events: the machine that is meant')
    .option(
      '--neighbours <names...>',
      `beside hostile drivers and processes: all, ${Object.keys(NEIGHBOURS).join(', ')}`,
    )
    .option('--rules <ids...>', 'look for these rules only')
    .option('--sarif <file>', 'write the findings as SARIF 2.1.0')
    .option('--json', 'print the findings as JSON')
    .action(verifyCommand);
}
