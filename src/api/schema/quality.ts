import type { GateResult } from '../../federation/gates.js';
import type { RunQuality } from '../../federation/service.js';
import type { QualityReport as Report } from '../../synthesis/quality/report.js';
import { builder, READERS } from '../builder.js';
import { query } from '../query.js';
import { finite } from './privacy.js';

type Estimate = Report['records'];

const EstimateRef = builder.objectRef<Estimate>('QualityEstimate').implement({
  description: 'A figure of a noisy sum, with the interval that holds it with the report’s confidence.',
  fields: (t) => ({
    estimate: t.exposeFloat('estimate'),
    lower: t.exposeFloat('lower'),
    upper: t.exposeFloat('upper'),
  }),
});

const ColumnDistanceRef = builder.objectRef<Report['oneWay']['columns'][number]>('ColumnDistance').implement({
  fields: (t) => ({
    column: t.exposeString('column'),
    distance: t.expose('distance', { type: EstimateRef }),
  }),
});

const PairDistanceRef = builder.objectRef<Report['twoWay']['worst'][number]>('PairDistance').implement({
  fields: (t) => ({
    columns: t.stringList({ resolve: ({ columns }) => [...columns] }),
    distance: t.expose('distance', { type: EstimateRef }),
  }),
});

const OneWayRef = builder.objectRef<Report['oneWay']>('OneWayQuality').implement({
  description: 'Total variation of single columns: 0 equal, 1 disjoint.',
  fields: (t) => ({
    mean: t.expose('mean', { type: EstimateRef }),
    sampling: t.exposeFloat('sampling', {
      description: 'What the mean would be of a perfect table, from so few held-out records.',
    }),
    columns: t.field({
      type: [ColumnDistanceRef],
      description: 'Worst first.',
      resolve: ({ columns }) => columns,
    }),
  }),
});

const TwoWayRef = builder.objectRef<Report['twoWay']>('TwoWayQuality').implement({
  description: 'Total variation of pairs of columns on coarse cells.',
  fields: (t) => ({
    cells: t.exposeInt('cells', { description: 'Most cells of a column in a pair.' }),
    mean: t.expose('mean', { type: EstimateRef }),
    sampling: t.exposeFloat('sampling', {
      description: 'What the mean would be of a perfect table, from so few held-out records.',
    }),
    independentColumns: t.expose('independentColumns', {
      type: EstimateRef,
      description: 'The mean if the real columns were independent: a table worth its ε comes below.',
    }),
    worst: t.field({
      type: [PairDistanceRef],
      description: 'Worst first, ten at most.',
      resolve: ({ worst }) => worst,
    }),
  }),
});

type Label = NonNullable<Report['label']>;

const ClassAreaRef = builder.objectRef<Label['classes'][number]>('ClassArea').implement({
  fields: (t) => ({
    category: t.string({ resolve: ({ category }) => String(category) }),
    area: t.expose('area', { type: EstimateRef }),
  }),
});

const LabelRef = builder.objectRef<Label>('LabelQuality').implement({
  description: 'A logistic regression trained on synthetic rows, tested on held-out records.',
  fields: (t) => ({
    column: t.exposeString('column'),
    area: t.expose('area', {
      type: EstimateRef,
      description: 'Under the ROC curve; the mean over the classes, each against the others.',
    }),
    classes: t.field({ type: [ClassAreaRef], resolve: ({ classes }) => classes }),
  }),
});

const QualityReport = builder.objectRef<RunQuality>('QualityReport').implement({
  description:
    'How good a released run is, measured by a noisy sum over the members’ held-out records. That sum has its own ε in the ledger.',
  fields: (t) => ({
    run: t.exposeString('runId', { description: '`runId` of what was measured.' }),
    qualityRun: t.exposeString('qualityRunId', {
      description:
        '`runId` of the measurement: of several the first, until another has at most half its noise on no fewer rows and references.',
    }),
    epsilon: t.float({
      nullable: true,
      authScopes: READERS,
      description:
        'Of the measurement alone, at the charter’s δ, against the coordinator and maxColluders: upper end by the tight accountants.',
      resolve: ({ epsilon }) => finite(epsilon),
    }),
    releaseDigest: t.string({ resolve: ({ report }) => report.release }),
    synthesizer: t.string({ resolve: ({ report }) => report.synthesizer }),
    syntheticRows: t.int({ resolve: ({ report }) => report.syntheticRows }),
    contributors: t.stringList({
      description: 'Participant ids of those whose held-out records were counted.',
      resolve: ({ report }) => report.contributors,
    }),
    confidence: t.float({ resolve: ({ report }) => report.confidence }),
    records: t.field({
      type: EstimateRef,
      description: 'Held-out records of all of them.',
      resolve: ({ report }) => report.records,
    }),
    oneWay: t.field({ type: OneWayRef, resolve: ({ report }) => report.oneWay }),
    twoWay: t.field({ type: TwoWayRef, resolve: ({ report }) => report.twoWay }),
    label: t.field({
      type: LabelRef,
      nullable: true,
      description: 'Null where the schema has no categorical label.',
      resolve: ({ report }) => report.label,
    }),
    attackAdvantage: t.field({
      type: EstimateRef,
      description:
        'Of telling training records from held-out ones by their distance to synthetic rows. A smoke test of copying, no proof of privacy: that is ε.',
      resolve: ({ report }) => report.attack.advantage,
    }),
  }),
});

query('qualityReport', {
  description: 'The quality of a released run, as the federation measured it.',
  scopes: { ...READERS, application: true },
  success: QualityReport,
  successName: 'QualityReport',
  args: builder.args((t) => ({
    run: t.string({ required: true, description: '`runId` of the run that was measured.' }),
  })),
  resolve: ({ run }, { service }) => service.quality.report(run),
});

const GateEnum = builder.enumType('Gate', {
  values: {
    MAX_EPSILON: { value: 'maxEpsilon' as const },
    MIN_FIDELITY: { value: 'minFidelity' as const },
    MAX_ATTACK_ADVANTAGE: { value: 'maxAttackAdvantage' as const },
  },
});

const GateStateEnum = builder.enumType('GateState', {
  description: 'A release is given out once every gate is PASSED.',
  values: {
    PASSED: { value: 'passed' as const },
    FAILED: { value: 'failed' as const },
    NOT_MEASURED: { value: 'not-measured' as const },
  },
});

export const ReleaseGate = builder.objectRef<GateResult>('ReleaseGate').implement({
  description: 'One condition that the charter sets on a release.',
  fields: (t) => ({
    gate: t.expose('gate', { type: GateEnum }),
    wanted: t.exposeFloat('wanted'),
    found: t.float({
      nullable: true,
      description:
        'The end of the interval that speaks against the release; null while nothing was measured.',
      resolve: ({ found }) => (found === null ? null : finite(found)),
    }),
    state: t.expose('state', { type: GateStateEnum }),
  }),
});
