import { describe, expect, test } from 'vitest';
import { ExAcquireFastMutex, ExReleaseFastMutex, FastMutex } from '../../src/ex/fast-mutex';
import {
  ExAcquirePushLockExclusive,
  ExAcquirePushLockShared,
  ExfReleasePushLock,
  ExPushLock,
} from '../../src/ex/push-lock';
import {
  ExAcquireRundownProtection,
  ExReleaseRundownProtection,
  ExRundownRef,
  ExWaitForRundownProtectionRelease,
} from '../../src/ex/rundown';
import { outcomes, type Step } from './harness';
import { all, enter, leave, resource, Room } from './room';

const most = ({ room }: { readonly room: Room }) => String(room);

describe('an ERESOURCE', () => {
  test('that several want alone is had by one after the other', async () => {
    const found = await outcomes({
      objects: resource,
      threads: ({ exclusive, release }) => ({
        A: [exclusive, release],
        B: [exclusive, release],
        C: [exclusive, release],
      }),
      state: most,
    });
    expect(found).toEqual(['A in | B in | C in | 1 at most']);
  });

  test('is shared by who comes in time, and never with one who has it alone', async () => {
    const found = await outcomes({
      objects: resource,
      threads: ({ exclusive, shared, release }) => ({
        A: [shared, release],
        B: [exclusive, release],
        C: [shared, release],
      }),
      state: most,
    });
    expect(found).toEqual(['A in | B in | C in | 1 at most', 'A in | B in | C in | 2 at most']);
  });

  test('that is wanted alone is refused to who comes to share it, but not to who starves that', async () => {
    const found = await outcomes({
      objects: resource,
      threads: ({ exclusive, shared, tryShared, tryStarving, release }) => ({
        A: [shared, release],
        B: [exclusive, release],
        C: [all(tryShared, tryStarving), release],
      }),
      state: most,
    });
    expect(found).toEqual([
      'A in | B in | C [in in] | 2 at most',
      'A in | B in | C [in in] | 3 at most',
      'A in | B in | C [no in] | 1 at most',
      'A in | B in | C [no in] | 2 at most',
      'A in | B in | C [no no] | 1 at most',
    ]);
  });

  test('is taken once more by who shares it, unless that one gives way to who wants it alone', async () => {
    const found = await outcomes({
      objects: resource,
      threads: ({ exclusive, shared, tryShared, tryWaiting, release }) => ({
        A: [shared, all(tryShared, tryWaiting), release],
        B: [exclusive, release],
      }),
      state: most,
    });
    expect(found).toEqual(['A in [in in] | B in | 3 at most', 'A in [in no] | B in | 2 at most']);
  });

  test('that is converted lets those in who wait to share it, and none who wants it alone', async () => {
    const found = await outcomes({
      objects: resource,
      threads: ({ exclusive, shared, tryExclusive, convert, release }) => ({
        A: [exclusive, convert, release],
        B: [shared, release],
        C: [tryExclusive, release],
      }),
      state: most,
    });
    expect(found).toEqual([
      'A in | B in | C in | 1 at most',
      'A in | B in | C in | 2 at most',
      'A in | B in | C no | 1 at most',
      'A in | B in | C no | 2 at most',
    ]);
  });

  test('is no way up: who shares it cannot have it alone, even as the only one', async () => {
    const found = await outcomes({
      objects: resource,
      threads: ({ shared, tryExclusive, release }) => ({
        A: [shared, tryExclusive, release, tryExclusive, release],
        B: [shared, release],
      }),
      state: most,
    });
    expect(found).toEqual([
      'A in no in | B in | 1 at most',
      'A in no in | B in | 2 at most',
      'A in no no | B in | 1 at most',
      'A in no no | B in | 2 at most',
    ]);
  });
});

/** A push lock in the same form. */
function pushLock() {
  const room = new Room();
  const lock = new ExPushLock();
  return {
    room,
    exclusive: enter(room, true, () => ExAcquirePushLockExclusive(lock)),
    shared: enter(room, false, () => ExAcquirePushLockShared(lock)),
    release: leave(room, () => ExfReleasePushLock(lock)),
  };
}

describe('a push lock', () => {
  test('lets one in alone or several together, and forgets nobody', async () => {
    const found = await outcomes({
      objects: pushLock,
      threads: ({ exclusive, shared, release }) => ({
        A: [shared, release],
        B: [exclusive, release],
        C: [shared, release],
      }),
      state: most,
    });
    expect(found).toEqual(['A in | B in | C in | 1 at most', 'A in | B in | C in | 2 at most']);
  });

  test("that one has alone is nobody else's", async () => {
    const found = await outcomes({
      objects: pushLock,
      threads: ({ exclusive, shared, release }) => ({
        A: [exclusive, release],
        B: [exclusive, release],
        C: [shared, release],
      }),
      state: most,
    });
    expect(found).toEqual(['A in | B in | C in | 1 at most']);
  });
});

/** A fast mutex, and in which order threads have had it. */
function fastMutex() {
  const mutex = new FastMutex();
  const order: string[] = [];
  const take = (name: string): Step =>
    function* () {
      yield* ExAcquireFastMutex(mutex);
      order.push(name);
    };
  const give: Step = () => ExReleaseFastMutex(mutex);
  return { mutex, order, take, give };
}

describe('a fast mutex', () => {
  test('is handed to who has waited longest, and nobody takes it in between', async () => {
    const found = await outcomes({
      objects: fastMutex,
      threads: ({ take, give }) => ({
        A: [take('A'), give, take('A'), give],
        B: [take('B'), give],
      }),
      state: ({ mutex, order }) => `${order.join('')} count ${mutex.count}`,
    });
    expect(found).toEqual(['A | B | AAB count 1', 'A | B | ABA count 1', 'A | B | BAA count 1']);
  });
});

/** Run-down protection, and how many use it when it is run down. */
function rundown() {
  const reference = new ExRundownRef();
  const use: Step = () => ExAcquireRundownProtection(reference);
  /** A use and its end, unless it was refused. */
  const useOnce: Step = function* () {
    const used = yield* ExAcquireRundownProtection(reference);
    if (used) yield* ExReleaseRundownProtection(reference);
    return used;
  };
  const wait: Step = function* () {
    yield* ExWaitForRundownProtectionRelease(reference);
    return reference.count;
  };
  return { reference, use, useOnce, wait };
}

const count = ({ reference }: ReturnType<typeof rundown>) => `count ${reference.count}`;

describe('run-down protection', () => {
  test('is over when ExWaitForRundownProtectionRelease returns, and stays so', async () => {
    const found = await outcomes({
      objects: rundown,
      threads: ({ use, useOnce, wait }) => ({ A: [useOnce], B: [wait], C: [use] }),
      state: count,
    });
    expect(found).toEqual([
      'A false | B 1 | C false | count 1',
      'A false | B … | C true | count 3',
      'A true | B 1 | C false | count 1',
      'A true | B … | C true | count 3',
    ]);
  });

  test('lets any number wait for it at once', async () => {
    const found = await outcomes({
      objects: rundown,
      threads: ({ useOnce, wait }) => ({ A: [useOnce], B: [wait], C: [wait] }),
      state: count,
    });
    expect(found).toEqual(['A false | B 1 | C 1 | count 1', 'A true | B 1 | C 1 | count 1']);
  });
});
