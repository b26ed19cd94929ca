import { defineConfig } from 'vitest/config';

// A golden that is missing or differs fails; `npx vitest run -u` writes it.
export default defineConfig({ test: { update: 'none', include: ['test/**/*.test.ts'] } });
