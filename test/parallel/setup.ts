import { afterAll, beforeAll } from 'vitest';
import { dealWorkers } from './deal';

/** NTPS_WORKERS=n npx vitest run …: the tests of the suite with n workers a machine. */
let takeBack: (() => Promise<void>) | undefined;
beforeAll(() => {
  takeBack = dealWorkers(Number(process.env.NTPS_WORKERS));
});
afterAll(() => takeBack?.());
