import { describeRecord, plainRecord } from '../machine/record-text';
import type { Finding } from './finding';
import type { SourceLocation } from './location';
import { RULES, ruleOf } from './rules';

/** Findings as text, and as SARIF, which code-review tools show at the line. */

/** Records that the text of a finding has; the finding itself has more. */
const RECORDS_IN_TEXT = 4;

const placeOf = ({ file, line, column }: SourceLocation) => `${file}:${line}:${column}`;

/** A finding in words, of several lines. */
export function describeFinding(finding: Finding): string {
  const { rule, severity, message, routine, thread, process, timeNs, location, count } = finding;
  const { sentence, source, instead } = ruleOf(rule);
  const place = location === undefined ? '' : `${placeOf(location)}: `;
  const lines = [
    `${place}${severity} ${rule}: ${routine ?? finding.driver ?? 'the code'} ${message}`,
    `  rule: ${sentence} (${source})`,
    `  instead: ${instead}`,
    `  in thread '${thread}'${process === '' ? '' : ` of ${process}`} at ${timeNs} ns${count > 1 ? `, ${count} times` : ''}`,
  ];
  if (finding.stack.length > 0) lines.push(`  stack: ${finding.stack.join(' < ')}`);
  for (const frame of finding.hostStack)
    lines.push(`  at ${frame.function ?? 'a function'} (${placeOf(frame)})`);
  for (const each of finding.chain) lines.push(`  ${each}`);
  for (const record of finding.lastRecords.slice(-RECORDS_IN_TEXT))
    lines.push(`  before: ${describeRecord(record)}`);
  return lines.join('\n');
}

/** The path of a file in a URI. */
const encodePath = (path: string) =>
  encodeURI(path).replace(/[?#[\]]/g, (letter) => encodeURIComponent(letter));

/** A file as SARIF wants it: a URI. */
function uriOf(file: string): string {
  if (file.startsWith('/')) return `file://${encodePath(file)}`;
  if (/^[A-Za-z]:[\\/]/.test(file)) return `file:///${encodePath(file.replaceAll('\\', '/'))}`;
  return /^\w+:/.test(file) ? file : encodePath(file.replaceAll('\\', '/'));
}

function physicalLocation({ file, line, column }: SourceLocation): object {
  return {
    physicalLocation: {
      artifactLocation: { uri: uriOf(file) },
      region: { startLine: line, startColumn: column },
    },
  };
}

/** What was being executed: routines of the machine, and functions of files. */
function stacksOf({ stack, hostStack }: Finding): object[] {
  const routines = stack.map((each) => ({ location: { message: { text: each } } }));
  const functions = hostStack.map((frame) => ({
    location: {
      ...physicalLocation(frame),
      ...(frame.function === undefined ? {} : { message: { text: frame.function } }),
    },
  }));
  return [
    { message: { text: 'Routines of the machine' }, frames: routines },
    { message: { text: "Functions of the driver's files" }, frames: functions },
  ].filter(({ frames }) => frames.length > 0);
}

/** Files of drivers, by the driver's name. */
export type DriverFiles = Readonly<Record<string, string>>;

/** Where a finding is: in doubt the first line of the driver's file. */
function placeIn(files: DriverFiles, { location, driver = 'driver' }: Finding): SourceLocation {
  const [only, second] = Object.values(files);
  const file = files[driver] ?? (second === undefined ? only : undefined) ?? driver;
  return location ?? { file, line: 1, column: 1 };
}

function resultOf(finding: Finding, files: DriverFiles): object {
  const { rule, severity, message, routine, count, chain, thread, process } = finding;
  const stacks = stacksOf(finding);
  return {
    ruleId: rule,
    ruleIndex: RULES.findIndex(({ id }) => id === rule),
    level: severity,
    message: {
      text: `${routine ?? finding.driver ?? 'The code'} ${message}. ${ruleOf(rule).instead}`,
    },
    locations: [physicalLocation(placeIn(files, finding))],
    ...(stacks.length === 0 ? {} : { stacks }),
    occurrenceCount: count,
    properties: {
      ...(finding.driver === undefined ? {} : { driver: finding.driver }),
      thread,
      process,
      timeNs: finding.timeNs,
      chain,
      lastRecords: finding.lastRecords.map(plainRecord),
    },
  };
}

/**
 * A log of SARIF 2.1.0 with every rule and the findings, as data for JSON.stringify. A finding of which
 * no line is known is at the first of its driver's file: `files` has those, else its name stands for it.
 */
export function toSarif(findings: readonly Finding[], files: DriverFiles = {}): object {
  return {
    $schema:
      'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'ntps',
            rules: RULES.map(({ id, sentence, source, severity, seen, instead }) => ({
              id,
              shortDescription: { text: sentence },
              fullDescription: { text: `${sentence} Seen: ${seen}.` },
              help: { text: `Instead: ${instead}. Source: ${source}.` },
              defaultConfiguration: { level: severity },
            })),
          },
        },
        results: findings.map((finding) => resultOf(finding, files)),
      },
    ],
  };
}
