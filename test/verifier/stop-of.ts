import { Machine } from '../../src/machine/machine';
import type { RunResult } from '../../src/machine/result';
import { startScenario } from '../../src/verifier/scenario';
import { CORPUS } from './corpus-all';

/** How a machine ends with a bad driver of the corpus, without anybody who looks on. */
export async function stopOf(what: string): Promise<RunResult> {
  const pair = CORPUS.find((each) => each.what === what);
  if (pair === undefined) throw new Error(`no pair is '${what}'`);
  const machine = await Machine.create({ processors: 2 });
  const driver = machine.loadDriver(pair.bad());
  let result = machine.run({ until: 1e8 });
  if (result.reason !== 'bugcheck') {
    startScenario(machine);
    result = machine.run({ until: 1e9 });
  }
  if (result.reason !== 'bugcheck' && driver.state === 'loaded') {
    driver.unload();
    result = machine.run({ until: 2e9 });
  }
  return result;
}
