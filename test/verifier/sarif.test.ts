import { createRequire } from 'node:module';
import AjvDraft4 from 'ajv-draft-04';
import addFormats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { checkDriver } from '../../src/verifier/check';
import type { Finding } from '../../src/verifier/finding';
import { toSarif } from '../../src/verifier/report';
import { RULES } from '../../src/verifier/rules';
import { CORPUS } from './corpus-all';

/** toSarif, held to the JSON schema of SARIF 2.1.0. */

const SCHEMA = '@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json';
const ajv = new AjvDraft4({ strict: false, allErrors: true, unicodeRegExp: false });
addFormats(ajv);
const validate = ajv.compile<object>(createRequire(import.meta.url)(SCHEMA));

/** What the schema says against a log. */
function errorsOf(log: unknown): string[] {
  validate(log);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

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
  hostStack: [
    { file: '/home/me/my driver.js', line: 3, column: 7, function: 'onProcess' },
    { file: '/home/me/my driver.js', line: 9, column: 1 },
  ],
  stack: ['KeDelayExecutionThread', 'sut!onProcess'],
  chain: ['one line'],
  lastRecords: [
    { timeNs: 900, processor: 0, type: 'affinity', thread: 2, mask: 3n, group: 0 },
    { timeNs: 950, processor: 1, type: 'processEnd', process: 3, parent: 1, status: 0 },
  ],
  count: 2,
};

const BARE: Finding = {
  rule: 'BC-01',
  severity: 'error',
  message: 'stops',
  thread: 'idle',
  process: '',
  timeNs: 0,
  hostStack: [],
  stack: [],
  chain: [],
  lastRecords: [],
  count: 1,
};

const logOf = (...findings: Finding[]) => JSON.parse(JSON.stringify(toSarif(findings)));

describe('toSarif is valid by the schema of SARIF 2.1.0', () => {
  test.each([
    ['without findings', []],
    ['with all that a finding has', [FINDING]],
    ['with the least that a finding has', [BARE]],
    ['with several', [FINDING, BARE, FINDING]],
  ])('%s', (_what, findings: Finding[]) => {
    expect(errorsOf(logOf(...findings))).toEqual([]);
  });

  test.each([
    ['/srv/a b/driver#1.js', 'file:///srv/a%20b/driver%231.js'],
    ['/srv/what?/[x].js', 'file:///srv/what%3F/%5Bx%5D.js'],
    ['C:\\work\\Treiber für 100%.js', 'file:///C:/work/Treiber%20f%C3%BCr%20100%25.js'],
    ['file:///srv/driver.mjs', 'file:///srv/driver.mjs'],
    ['http://localhost:5173/src/driver.ts?t=1', 'http://localhost:5173/src/driver.ts?t=1'],
  ])('for a driver in %s', (file, uri) => {
    const log = logOf({ ...FINDING, location: { file, line: 1, column: 1 } });
    expect(errorsOf(log)).toEqual([]);
    const [{ physicalLocation }] = log.runs[0].results[0].locations;
    expect(physicalLocation.artifactLocation.uri).toBe(uri);
  });

  test('for what is found in every bad driver', async () => {
    const found: Finding[] = [];
    for (const { bad } of CORPUS) found.push(...(await checkDriver(bad())).findings);
    expect(found.length).toBeGreaterThanOrEqual(CORPUS.length);
    expect(errorsOf(logOf(...found))).toEqual([]);
  });

  test.each([
    ['a level that is none', { level: 'fatal' }, '/runs/0/results/0/level'],
    ['a line 0', { locations: [{ physicalLocation: { region: { startLine: 0 } } }] }, 'startLine'],
    ['a result without a message', { message: undefined }, '/runs/0/results/0 '],
    ['a property of no meaning', { severity: 'error' }, '/runs/0/results/0 '],
  ])('which refuses %s', (_what, wrong, place) => {
    const log = logOf(FINDING);
    Object.assign(log.runs[0].results[0], wrong);
    expect(errorsOf(JSON.parse(JSON.stringify(log))).join('\n')).toContain(place);
  });
});

describe('toSarif', () => {
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

  test('has a result with a level, a location, both stacks, the chain and the last records', () => {
    const [result] = logOf(FINDING).runs[0].results;
    const physicalLocation = {
      artifactLocation: { uri: 'file:///home/me/my%20driver.js' },
      region: { startLine: 3, startColumn: 7 },
    };
    expect(result).toEqual({
      ruleId: 'CB-04',
      ruleIndex: 3,
      level: 'error',
      message: { text: expect.stringContaining('waits in KeDelayExecutionThread') },
      locations: [{ physicalLocation }],
      stacks: [
        {
          message: { text: 'Routines of the machine' },
          frames: [
            { location: { message: { text: 'KeDelayExecutionThread' } } },
            { location: { message: { text: 'sut!onProcess' } } },
          ],
        },
        {
          message: { text: "Functions of the driver's files" },
          frames: [
            { location: { physicalLocation, message: { text: 'onProcess' } } },
            {
              location: {
                physicalLocation: { ...physicalLocation, region: { startLine: 9, startColumn: 1 } },
              },
            },
          ],
        },
      ],
      occurrenceCount: 2,
      properties: {
        driver: 'sut',
        thread: 'main',
        process: 'explorer.exe',
        timeNs: 1000,
        chain: ['one line'],
        lastRecords: [
          { timeNs: 900, processor: 0, type: 'affinity', thread: 2, mask: '0x3', group: 0 },
          { timeNs: 950, processor: 1, type: 'processEnd', process: 3, parent: 1, status: 0 },
        ],
      },
    });
  });

  test('leaves out what is not known: an empty array of stacks is for results without', () => {
    const [result] = logOf(BARE).runs[0].results;
    expect(Object.keys(result)).toEqual([
      'ruleId',
      'ruleIndex',
      'level',
      'message',
      'locations',
      'occurrenceCount',
      'properties',
    ]);
    expect(result.message.text).toMatch(/^The code stops\. /);
  });

  test.each([
    [
      'of its name',
      { ...BARE, driver: 'sut' },
      { one: 'a.js', sut: '/drivers/sut.js' },
      'file:///drivers/sut.js',
    ],
    ['that is the only one', { ...BARE, driver: 'other' }, { sut: 'a/my sut.js' }, 'a/my%20sut.js'],
    ['that is not known', { ...BARE, driver: 'my sut' }, {}, 'my%20sut'],
    ['of nobody', BARE, {}, 'driver'],
  ])('is without a line at the first of the file %s', (_what, finding, files, uri) => {
    const log = JSON.parse(JSON.stringify(toSarif([finding], files)));
    expect(log.runs[0].results[0].locations).toEqual([
      {
        physicalLocation: { artifactLocation: { uri }, region: { startLine: 1, startColumn: 1 } },
      },
    ]);
    expect(errorsOf(log)).toEqual([]);
  });
});
