import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A golden that is missing or differs fails; `npx vitest run -u` writes it.
    update: 'none',
    // A machine that others use too is slow, not wrong: only what hangs is to fail.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
