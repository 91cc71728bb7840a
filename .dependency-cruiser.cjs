/** The arrows of docs/architecture.md. `npm test` fails when one points the wrong way. */
const may = (room, ...others) => ({
  name: `${room} may know only ${others.join(', ') || 'itself'}`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^(src|clients)/', pathNot: `^src/(${[room, ...others].join('|')})/` },
});
const pure = '^src/(crypto|secagg|privacy)/';
module.exports = {
  forbidden: [
    may('crypto'),
    may('secagg', 'crypto'),
    {
      name: 'chorale/privacy is a library of its own: it knows no other room but two types of crypto',
      severity: 'error',
      from: { path: '^src/privacy/' },
      to: { path: '^(src|clients)/', pathNot: '^src/(privacy/|crypto/(canonical|rng)\\.ts$)' },
    },
    {
      name: 'chorale/privacy takes nothing of crypto along: types only',
      severity: 'error',
      from: { path: '^src/privacy/' },
      to: { path: '^src/crypto/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'chorale/privacy runs in a browser: nothing of Node’s, and of npm nothing but zod',
      severity: 'error',
      from: { path: '^src/privacy/' },
      to: { path: '.', pathNot: '^src/|^node_modules/zod/' },
    },
    may('synthesis', 'crypto', 'privacy'),
    may('evaluation', 'crypto', 'privacy', 'synthesis'),
    may('federation', 'crypto', 'secagg', 'privacy', 'synthesis'),
    may('store', 'crypto', 'federation'),
    may('api', 'crypto', 'secagg', 'privacy', 'synthesis', 'evaluation', 'federation', 'store'),
    {
      name: 'the participant and application sides never see the coordinator’s store or API',
      severity: 'error',
      from: { path: '^clients/' },
      to: { path: '^src/(store|api|cli)/|^src/coordinator' },
    },
    {
      name: 'crypto, secagg and privacy are pure: no database, no GraphQL, no tensors, no I/O',
      severity: 'error',
      from: { path: pure },
      to: { path: 'prisma|graphql|tensorflow|^(node:)?(fs|http|https|net|child_process)' },
    },
    {
      name: 'within the pure rooms only the mask threads start threads (nodePrimitives frees buffers by a port)',
      severity: 'error',
      from: { path: pure, pathNot: '^src/crypto/(maskThreads?|nodePrimitives)\\.ts$' },
      to: { path: '^(node:)?worker_threads' },
    },
    {
      name: 'only synthesis imports TensorFlow.js',
      severity: 'error',
      from: { path: '^(src|clients)/', pathNot: '^src/synthesis/' },
      to: { path: '@tensorflow' },
    },
    {
      name: 'within synthesis a folder knows itself and what all share: no synthesizer knows another',
      severity: 'error',
      from: { path: '^src/synthesis/([^/]+)/' },
      to: { path: '^src/synthesis/[^/]+/', pathNot: '^src/synthesis/($1|counts|learning|oneWays|table)/' },
    },
    {
      name: 'no cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
