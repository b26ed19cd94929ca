import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/verifier/finding';
import { toSarif } from '../../src/verifier/report';
import { RULES } from '../../src/verifier/rules';

/** What the schema of SARIF 2.1.0 requires of what toSarif gives, and the types of its properties. */

const FINDING: Finding = {
  rule: 'CB-04',
  severity: 'error',
  message: 'waits in KeDelayExecutionThread',
  driver: 'sut',
  routine: 'process-notify routine sut!onProcess',
  thread: 'main',
  process: 'explorer.exe',
  timeNs: 1000,
  location: { file: '/home/me/my driver.js', line: 3, column: 7 },
  stack: ['KeDelayExecutionThread', 'sut!onProcess'],
  chain: ['one line'],
  lastRecords: [],
  count: 2,
};

const BARE: Finding = {
  rule: 'BC-01',
  severity: 'error',
  message: 'stops',
  thread: 'idle',
  process: '',
  timeNs: 0,
  stack: [],
  chain: [],
  lastRecords: [],
  count: 1,
};

const logOf = (...findings: Finding[]) => JSON.parse(JSON.stringify(toSarif(findings)));

describe('toSarif, by the schema of SARIF 2.1.0', () => {
  test('has version and runs, and each run a tool with the name of its driver', () => {
    const log = logOf();
    expect(Object.keys(log)).toEqual(['$schema', 'version', 'runs']);
    expect(log.version).toBe('2.1.0');
    expect(Object.keys(log.runs[0])).toEqual(['tool', 'results']);
    expect(log.runs[0].tool.driver.name).toBe('ntps');
    expect(log.runs[0].results).toEqual([]);
  });

  test('has a reportingDescriptor for each rule, with an id of its own and messages with a text', () => {
    const { rules } = logOf().runs[0].tool.driver;
    expect(rules.map(({ id }: { id: string }) => id)).toEqual(RULES.map(({ id }) => id));
    expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
    expect(rules[0]).toEqual({
      id: 'CB-01',
      shortDescription: { text: expect.any(String) },
      fullDescription: { text: expect.any(String) },
      help: { text: expect.any(String) },
      defaultConfiguration: { level: 'warning' },
    });
  });

  test('has a result with a message, a level of the enumeration, a location and a stack', () => {
    const [result] = logOf(FINDING).runs[0].results;
    expect(result).toEqual({
      ruleId: 'CB-04',
      ruleIndex: 3,
      level: 'error',
      message: { text: expect.stringContaining('waits in KeDelayExecutionThread') },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'file:///home/me/my%20driver.js' },
            region: { startLine: 3, startColumn: 7 },
          },
        },
      ],
      stacks: [
        {
          frames: [
            { location: { message: { text: 'KeDelayExecutionThread' } } },
            { location: { message: { text: 'sut!onProcess' } } },
          ],
        },
      ],
      occurrenceCount: 2,
      properties: { thread: 'main', process: 'explorer.exe', timeNs: 1000, chain: ['one line'] },
    });
  });

  test('leaves out what is not known: empty arrays of locations and stacks are for results without', () => {
    const [result] = logOf(BARE).runs[0].results;
    expect(Object.keys(result)).toEqual([
      'ruleId',
      'ruleIndex',
      'level',
      'message',
      'occurrenceCount',
      'properties',
    ]);
    expect(result.message.text).toMatch(/^The code stops\. /);
  });
});
