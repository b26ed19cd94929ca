import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // A golden that is missing or differs fails; `npx vitest run FILE -u` writes it.
    update: 'none',
    // A machine that others use too is slow, not wrong: only what hangs is to fail.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Every scenario has one history, on however many workers.
    setupFiles: process.env.NTPS_WORKERS === undefined ? [] : ['test/parallel/setup.ts'],
    projects: [
      { extends: true, test: { name: 'release', include: ['test/**/*.test.ts'] } },
      {
        // The core's debug build: its assertions see what a release would go on with.
        extends: true,
        test: {
          name: 'debug',
          include: [
            'test/{facts,scenario}/**/*.test.ts',
            'test/property/{apc,dispatcher,slices,waits}.test.ts',
            'test/parallel/{order,random}.test.ts',
            'test/port/workers.test.ts',
          ],
          env: { NTPS_CORE: 'debug' },
        },
      },
    ],
  },
});
