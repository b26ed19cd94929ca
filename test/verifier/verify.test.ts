import { describe, expect, test } from 'vitest';
import { Machine } from '../../src/machine/machine';
import { type CheckOptions, checkDriver } from '../../src/verifier/check';
import { toFollowTheRules } from '../../src/verifier/matcher';
import { describeFinding, toSarif } from '../../src/verifier/report';
import { startScenario } from '../../src/verifier/scenario';
import { verifyDrivers } from '../../src/verifier/verify';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeAcquireSpinLock, KeReleaseSpinLock } from '../../src/ke/spinlock';
import { currentGuest } from '../../src/machine/guest';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { badDriverOf as bad } from './corpus-all';
import { acquire } from './corpus-parts';
import { entryDriver, processDriver } from './drivers';

declare module 'vitest' {
  interface Matchers<T> {
    toFollowTheRules(options?: CheckOptions): Promise<void>;
  }
}

describe('a finding', () => {
  test('names the driver, its routine, the line of its file, and what it called', async () => {
    const { findings } = await checkDriver(bad('CB-04'));
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({
      rule: 'CB-04',
      severity: 'error',
      message: 'waits in KeDelayExecutionThread',
      driver: 'sut',
      routine: 'process-notify routine sut!onProcess',
      location: { file: expect.stringContaining('test/verifier/corpus.ts') },
      stack: ['KeDelayExecutionThread', 'sut!onProcess', "thread 'process creation'"],
    });
    expect(findings[0]?.lastRecords.length).toBe(16);
  });

  test('has the functions of the driver, the one that was called last first', async () => {
    const { findings } = await checkDriver(bad('CB-08'));
    expect(findings[0]?.hostStack).toEqual([
      expect.objectContaining({ function: 'readFile', line: expect.any(Number) }),
      expect.objectContaining({ function: 'onProcess', column: expect.any(Number) }),
    ]);
    expect(findings[0]?.location).toEqual({
      file: findings[0]?.hostStack[0]?.file,
      line: findings[0]?.hostStack[0]?.line,
      column: findings[0]?.hostStack[0]?.column,
    });
  });

  test('that is made again is one with a count', async () => {
    const { findings } = await checkDriver(bad('CB-04'));
    expect(findings[0]?.count).toBe(20);
  });

  test('of a bugcheck says what was thrown', async () => {
    const { findings } = await checkDriver(bad('BC-01'));
    expect(findings[0]?.message).toMatch(
      /^SYSTEM_THREAD_EXCEPTION_NOT_HANDLED \(Error: broken\): A system thread threw/,
    );
    expect((await toFollowTheRules(bad('BC-01'))).message()).toContain('(Error: broken)');
  });

  test('of what is left is where it was registered, allocated or opened', async () => {
    const fileOf = async (rule: string) => {
      const { findings } = await checkDriver(bad(rule));
      return findings[0]?.location?.file.replace(/^.*\//, '');
    };
    expect(await fileOf('CB-10')).toBe('drivers.ts');
    expect(await fileOf('CB-22')).toBe('drivers.ts');
    expect(await fileOf('UN-01')).toBe('corpus-general.ts');
    expect(await fileOf('UN-02')).toBe('corpus-parts.ts');
    expect(await fileOf('UN-03')).toBe('corpus-general.ts');
    expect(await fileOf('UN-04')).toBe('corpus-general.ts');
    expect(await fileOf('UN-05')).toBe('corpus-general.ts');
  });

  test('of an order of spin locks has their names', async () => {
    const driver = entryDriver(function* () {
      const { machine } = currentGuest('test');
      const [one, two] = [machine.createSpinLock('one'), machine.createSpinLock('two')];
      for (const [outer, inner] of [
        [one, two],
        [two, one],
      ] as const) {
        const outerIrql = yield* KeAcquireSpinLock(outer);
        const innerIrql = yield* KeAcquireSpinLock(inner);
        yield* KeReleaseSpinLock(inner, innerIrql);
        yield* KeReleaseSpinLock(outer, outerIrql);
      }
    });
    const { findings } = await checkDriver(driver);
    expect(findings[0]?.chain).toEqual([
      expect.stringMatching(/^thread 'driver loader' takes one while it holds two /),
      expect.stringMatching(/^thread 'driver loader' takes two while it holds one /),
    ]);
  });

  test('of a deadlock has the chain of waits, when it has happened', async () => {
    const { findings, result } = await checkDriver(bad('LK-06'));
    expect(result.reason).toBe('deadlock');
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({
      rule: 'LK-06',
      driver: 'sut',
      thread: 'drain',
      chain: [
        "thread 'drain' waits for mutant 1, which is for 'driver loader' to give",
        "thread 'driver loader' waits for thread 3, which is for 'drain' to give",
      ],
    });
  });

  test('of a wait has the chain of waits', async () => {
    const chainOf = async (rule: string) => {
      const { findings } = await checkDriver(bad(rule));
      return findings[0]?.chain;
    };
    expect(await chainOf('CB-04')).toEqual([]);
    expect(await chainOf('CB-07')).toEqual([
      expect.stringMatching(/^thread '.*' waits for notification event \d+$/),
    ]);
    expect(await chainOf('CB-09')).toEqual([
      expect.stringMatching(
        /^thread '(.*)' waits for the calls of process-notify routine sut!onProcess\w* under way to return, which is for '\1' to give$/,
      ),
    ]);
  });

  test('of an order of locks has the whole circle', async () => {
    const { findings } = await checkDriver(bad('LK-01'));
    expect(findings[0]?.chain).toEqual([
      expect.stringMatching(
        /^thread 'driver loader' takes one while it holds two \(.*corpus-order\.ts:\d+\)$/,
      ),
      expect.stringMatching(
        /^thread 'driver loader' takes two while it holds one \(.*corpus-order\.ts:\d+\)$/,
      ),
    ]);
  });

  test('in words has the lines of the driver', async () => {
    const { findings } = await checkDriver(bad('CB-08'));
    expect(findings.map(describeFinding).join('\n')).toMatch(
      /^ {2}at readFile \(.*corpus-callbacks\.ts:\d+:\d+\)\n {2}at onProcess \(/m,
    );
  });

  test('in words has the rule, its source, and what to do instead', async () => {
    const { findings } = await checkDriver(bad('CB-19'));
    const text = findings.map(describeFinding).join('\n');
    expect(text).toContain(
      'error CB-19: pre-operation callback sut!beforeHandle adds the access bits',
    );
    expect(text).toContain('rule: A pre-operation callback adds no access rights.');
    expect(text).toContain('instead: only clear bits of DesiredAccess');
    expect(text).toMatch(/^ {2}before: \d+ ns, processor [01]: \w+ /m);
  });
});

describe('toSarif', () => {
  test('gives every rule, and a result at its line', async () => {
    const { findings } = await checkDriver(bad('CB-18'));
    const log = JSON.parse(JSON.stringify(toSarif(findings)));
    expect(log.version).toBe('2.1.0');
    const [run] = log.runs;
    const [result] = run.results;
    expect(run.tool.driver.rules[result.ruleIndex].id).toBe('CB-18');
    expect(result.level).toBe('error');
    expect(result.locations[0].physicalLocation).toEqual({
      artifactLocation: { uri: expect.stringMatching(/^file:\/\/.*corpus\.ts$/) },
      region: { startLine: expect.any(Number), startColumn: expect.any(Number) },
    });
  });
});

describe('toFollowTheRules', () => {
  test('passes for a driver that does, beside all neighbours', async () => {
    const result = await toFollowTheRules(
      processDriver(() => undefined),
      { neighbours: 'all' },
    );
    expect(result.pass).toBe(true);
  });

  test('fails with the findings for one that does not', async () => {
    const result = await toFollowTheRules(bad('CB-23'));
    expect(result.pass).toBe(false);
    expect(result.message()).toContain("driver 'sut' breaks rules:");
    expect(result.message()).toContain('CB-23');
  });
});

describe('toFollowTheRules fails without a finding', () => {
  const fails = async (scenario: (machine: Machine) => void) => {
    const { pass, message } = await toFollowTheRules(
      processDriver(() => undefined),
      { scenario },
    );
    return [pass, message()];
  };

  test('if others stop the machine', async () => {
    const throws = (machine: Machine) => {
      machine.systemProcess.createThread(function* () {
        yield* KeDelayExecutionThread(0, false, -1000);
        throw new Error('broken');
      });
    };
    expect(await fails(throws)).toEqual([
      false,
      expect.stringMatching(
        /the run ended: bugcheck\nSYSTEM_THREAD_EXCEPTION_NOT_HANDLED \(7e\)\n/,
      ),
    ]);
  });

  test('if others wait in a circle', async () => {
    const circle = (machine: Machine) => {
      const mutant = machine.createMutant();
      machine.systemProcess.createThread(function* () {
        yield* acquire(mutant);
        yield* KeWaitForSingleObject(waiter, 0, 0, false, null);
      });
      const waiter = machine.systemProcess.createThread(function* () {
        yield* KeDelayExecutionThread(0, false, -1000);
        yield* acquire(mutant);
      });
    };
    expect(await fails(circle)).toEqual([
      false,
      expect.stringContaining('the run ended: deadlock'),
    ]);
  });
});

describe('expect(driver).toFollowTheRules, with expect.extend', () => {
  expect.extend({ toFollowTheRules });

  test('passes with a scenario and neighbours', async () => {
    const options = { scenario: startScenario, neighbours: 'all' } as const;
    await expect(processDriver(() => undefined)).toFollowTheRules(options);
  });

  test('has the message of an assertion that fails in a callback', async () => {
    const driver = processDriver(function onProcess() {
      expect('one').toBe('two');
    });
    const { findings, result } = await checkDriver(driver);
    expect(result.reason).toBe('bugcheck');
    expect(findings[0]?.message).toContain("AssertionError: expected 'one' to be 'two'");
    await expect(expect(driver).toFollowTheRules()).rejects.toThrow("expected 'one' to be 'two'");
  });

  test('throws an error that has the finding, its rule and its line', async () => {
    const { message } = await expect(bad('CB-03'))
      .toFollowTheRules()
      .then(
        () => new Error('it passed'),
        (error: Error) => error,
      );
    expect(message).toMatch(/^driver 'sut' breaks rules:\n.*corpus\.ts:\d+:\d+: error CB-03: /);
    expect(message).toContain('rule: A callback makes no registry calls.');
  });
});

describe('verifyDrivers', () => {
  test('changes nothing of the history', async () => {
    const run = async (verify: boolean) => {
      const machine = await Machine.create({ processors: 2 });
      if (verify) verifyDrivers(machine);
      machine.loadDriver(processDriver(() => undefined));
      startScenario(machine);
      machine.run({ until: 1e9 });
      return machine.digest;
    };
    expect(await run(true)).toBe(await run(false));
  });

  test('looks for the rules that it is told, and at the drivers', async () => {
    const found = async (options: Parameters<typeof verifyDrivers>[1]) => {
      const machine = await Machine.create({ processors: 2 });
      const verification = verifyDrivers(machine, options);
      machine.loadDriver(bad('CB-04'));
      startScenario(machine);
      machine.run({ until: 1e9 });
      return verification.findings.length;
    };
    expect(await found({ rules: ['CB-04'] })).toBe(1);
    expect(await found({ rules: ['CB-05'] })).toBe(0);
    expect(await found({ drivers: ['other'] })).toBe(0);
  });

  test('looks again at what it has looked at before, once it was stopped', async () => {
    const machine = await Machine.create({ processors: 2 });
    machine.loadDriver(processDriver(() => undefined));
    machine.run();
    const first = verifyDrivers(machine);
    startScenario(machine);
    machine.run({ until: machine.now + 100_000 });
    first.stop();
    const second = verifyDrivers(machine);
    const result = machine.run({ until: 1e9 });
    expect(result.reason).toBe('time');
    expect([first.findings, second.ended(result)]).toEqual([[], []]);
  });

  test.each([
    [{ untilNs: -1 }, 'untilNs is -1; give an integer from 0 to 4503599627370496'],
    [{ maxEvents: 0 }, 'maxEvents is 0; give an integer from 1 to 1000000000000'],
    [{ rules: 'CB-01' }, "rules is 'CB-01'; give 'all' or an array of names, such as ['CB-01']"],
    [{ neighbours: 'x' }, "neighbours is 'x'; give 'all' or an array of names, such as ['veto']"],
    [{ neighbors: 'all' }, "'neighbors' is no option of checkDriver; did you mean 'neighbours'?"],
    [{ drivers: ['sut'] }, "'drivers' is no option of checkDriver; known: rules, callbackBudgetNs"],
    [{ scenario: 'scene.js' }, 'scenario is scene.js; give a function'],
    [
      { expectedStatus: 0.5 },
      'expectedStatus is 0.5; give an integer from -2147483648 to 4294967295',
    ],
  ])('checkDriver refuses %j', async (options, message) => {
    const driver = processDriver(() => undefined);
    await expect(checkDriver(driver, options as unknown as CheckOptions)).rejects.toThrow(message);
  });

  test.each([
    [{ drivers: 'sut' }, "drivers is 'sut'; give an array of names, such as ['protect']"],
    [{ Rules: 'all' }, "'Rules' is no option of verifyDrivers; did you mean 'rules'?"],
    [{ untilNs: 5 }, "'untilNs' is no option of verifyDrivers; known: rules, drivers"],
  ])('refuses %j', async (options, message) => {
    const machine = await Machine.create();
    expect(() => verifyDrivers(machine, options as never)).toThrow(message);
  });

  test('refuses a rule or a neighbour that it does not know', async () => {
    const machine = await Machine.create();
    expect(() => verifyDrivers(machine, { rules: ['CB-99'] })).toThrow(
      "'CB-99' is no rule; known: CB-01",
    );
    await expect(
      checkDriver(
        processDriver(() => undefined),
        { neighbours: ['nobody'] },
      ),
    ).rejects.toThrow("'nobody' is no neighbour; known: veto, strip, fill, full");
  });
});
