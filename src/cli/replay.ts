import Table from 'cli-table3';
import type { Command } from 'commander';
import { type Policy, RecordedWorkload, type ReplayReport, readRecording, replay } from '../index';
import { openRecording } from '../workload/open';
import { policyOption, processorCount, profileOption } from './options';

const milliseconds = (ns: number) => (ns / 1e6).toFixed(3);

function printReports(reports: readonly ReplayReport[]): void {
  const overall = new Table({
    head: ['policy', 'end ms', 'switches', 'utilisation', 'stopped', 'digest'],
  });
  for (const report of reports) {
    const shares = report.utilisation.map((share) => `${(share * 100).toFixed(1)} %`).join(' ');
    overall.push([
      report.policy,
      milliseconds(report.endNs),
      report.contextSwitches,
      shares,
      report.stopped,
      report.digest,
    ]);
  }
  console.log(overall.toString());
  const [first] = reports;
  if (first === undefined) return;
  const busiest = [...first.threads].sort((a, b) => b.runNs - a.runNs).slice(0, 15);
  const table = new Table({
    head: ['thread', 'recorded ms', 'run ms', 'switches', 'preempted', 'migrations'],
  });
  for (const thread of busiest) {
    table.push([
      thread.name,
      milliseconds(thread.recordedRunNs),
      milliseconds(thread.runNs),
      thread.contextSwitches,
      thread.preemptions,
      thread.migrations,
    ]);
  }
  console.log(
    `the ${busiest.length} busiest threads of ${first.threads.length} under ${first.policy}:`,
  );
  console.log(table.toString());
}

interface ReplayFlags {
  readonly processors?: number;
  readonly profile: 'client' | 'server';
  readonly policy?: Policy;
  readonly json?: boolean;
}

async function replayCommand(path: string, flags: ReplayFlags): Promise<void> {
  const workload = new RecordedWorkload();
  const input = await openRecording(path);
  const summary = await readRecording(input, workload, { name: path });
  const processors = flags.processors ?? Math.max(1, summary.cpus);
  const policies: readonly Policy[] =
    flags.policy === undefined ? ['nt', 'fifo', 'rr'] : [flags.policy];
  const reports: ReplayReport[] = [];
  for (const policy of policies) {
    reports.push(await replay(workload, { processors, profile: flags.profile, policy }));
  }
  if (flags.json === true) {
    console.log(
      JSON.stringify(
        { recording: path, attribution: summary.attribution, warnings: summary.warnings, reports },
        null,
        2,
      ),
    );
    return;
  }
  const { attribution } = summary;
  console.log(
    `${path}: ${summary.lines} lines, ${milliseconds(summary.durationNs)} ms on ${summary.cpus} processors, ${summary.threads.length} threads`,
  );
  console.log(
    `wakes: ${attribution.byThread} by threads (${attribution.contextUnknown} of unknown context), ${attribution.byInterrupt} by interrupts, ${attribution.unattributed} unattributed`,
  );
  for (const warning of summary.warnings) {
    console.log(
      `warning: ${warning.kind}, ${warning.count} times, first in line ${warning.firstLine}: ${warning.text}`,
    );
  }
  printReports(reports);
}

/** Registers `ntps replay`. */
export function addReplayCommand(cli: Command): void {
  cli
    .command('replay')
    .description(
      'replay a recorded Linux schedule (ftrace text, gzip or not, - for standard input) on the NT scheduler',
    )
    .argument('<recording>')
    .option(
      '--processors <n>',
      'processors of the machine; default: those of the recording',
      processorCount,
    )
    .addOption(profileOption())
    .addOption(policyOption('only this one; default: all three'))
    .option('--json', 'print everything as JSON')
    .action(replayCommand);
}
