import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Node loads graphql's CommonJS build, for us and for Pothos and yoga; Vite would load the other one for us.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: more workers than that only steal time from the process tests.
    maxWorkers: 2,
  },
});
