import type { Finding } from './finding';
import { RULES, ruleOf } from './rules';

/** Findings as text, and as SARIF, which code-review tools show at the line. */

/** A finding in words, of several lines. */
export function describeFinding(finding: Finding): string {
  const { rule, severity, message, routine, thread, process, timeNs, location, count } = finding;
  const { sentence, source, instead } = ruleOf(rule);
  const place =
    location === undefined ? '' : `${location.file}:${location.line}:${location.column}: `;
  const lines = [
    `${place}${severity} ${rule}: ${routine ?? finding.driver ?? 'the code'} ${message}`,
    `  rule: ${sentence} (${source})`,
    `  instead: ${instead}`,
    `  in thread '${thread}'${process === '' ? '' : ` of ${process}`} at ${timeNs} ns${count > 1 ? `, ${count} times` : ''}`,
  ];
  if (finding.stack.length > 0) lines.push(`  stack: ${finding.stack.join(' < ')}`);
  for (const each of finding.chain) lines.push(`  ${each}`);
  return lines.join('\n');
}

/** A file as SARIF wants it: a URI. */
function uriOf(file: string): string {
  if (file.startsWith('/')) return `file://${encodeURI(file)}`;
  return /^[A-Za-z]:[\\/]/.test(file) ? `file:///${encodeURI(file.replaceAll('\\', '/'))}` : file;
}

function resultOf(finding: Finding): object {
  const { rule, severity, message, routine, location, count, timeNs, stack, chain } = finding;
  const frames = stack.map((each) => ({ location: { message: { text: each } } }));
  return {
    ruleId: rule,
    ruleIndex: RULES.findIndex(({ id }) => id === rule),
    level: severity,
    message: {
      text: `${routine ?? finding.driver ?? 'The code'} ${message}. ${ruleOf(rule).instead}`,
    },
    ...(location === undefined
      ? {}
      : {
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: uriOf(location.file) },
                region: { startLine: location.line, startColumn: location.column },
              },
            },
          ],
        }),
    ...(frames.length === 0 ? {} : { stacks: [{ frames }] }),
    occurrenceCount: count,
    properties: { thread: finding.thread, process: finding.process, timeNs, chain },
  };
}

/** A log of SARIF 2.1.0 with every rule and the findings, as data for JSON.stringify. */
export function toSarif(findings: readonly Finding[]): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
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
        results: findings.map(resultOf),
      },
    ],
  };
}
