import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Pure functions, nothing of the process changed or mocked: these files share a process, and what it has loaded and compiled. */
const SHARED = [
  'test/privacy/**/*.test.ts',
  'test/secagg/{*,hazards/*}.test.ts',
  // The audit spies on the console.
  'test/evaluation/!(audit*).test.ts',
  'test/synthesis/marginals/*.test.ts',
];

/** Minutes each; of all others none takes more than half a minute. */
const LONGEST = [
  'test/secagg/simulation/simulation.test.ts',
  'test/cli/kill.test.ts',
  'test/cli/simulate.test.ts',
  'test/cli/commands.test.ts',
  'test/cli/deployByHand.test.ts',
  'test/secagg/vectors.test.ts',
];

/** The longest first, so that none ends alone on one core; the shared last, one after the other in the same processes. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId, project }: TestSpecification): number => {
      if (project.config.isolate === false) return LONGEST.length + 1;
      const place = LONGEST.findIndex((file) => moduleId.endsWith(file));
      return place === -1 ? LONGEST.length : place;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  // Node loads graphql's CommonJS build, for us and for Pothos and yoga; Vite would load the other one for us.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    // A machine that does other work too may take ten times as long; what hangs is still found.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    // Two cores: more workers than that only steal time from the process tests.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'alone',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...SHARED],
          globalSetup: ['test/store/postgresServer.ts'],
        },
      },
      {
        extends: true,
        test: { name: 'shared', include: SHARED, isolate: false },
      },
    ],
  },
});
