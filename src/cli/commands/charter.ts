import { type Command, InvalidArgumentError } from 'commander';
import { describeOrders } from '../../privacy/filterOrders.js';
import {
  ask,
  type Connection,
  type ConnectionOptions,
  connectionOf,
  FAILURE,
  idempotencyKey,
  isJson,
  print,
  withConnection,
} from '../connection.js';
import { CliError, readJsonFile } from '../exits.js';
import { wholeNumber } from './coordinator.js';

const CHARTER_FIELDS = 'version digest body status signatures { participantId signature }';

interface CharterView {
  readonly version: number;
  readonly digest: string;
  readonly body: string;
  readonly status: string;
  readonly signatures: readonly { readonly participantId: string; readonly signature: string }[];
}

interface ParticipantView {
  readonly participantId: string;
  readonly name: string;
  readonly publicKey: string;
  readonly declaredRecords: number;
  readonly status: string;
}

export async function listParticipants(connection: Connection): Promise<readonly ParticipantView[]> {
  const connectionView = await ask<{ edges: { node: ParticipantView }[] }>(
    connection,
    '{ participants(first: 100) { edges { node { participantId name publicKey declaredRecords status } } } }',
  );
  return connectionView.edges.map(({ node }) => node);
}

export function registerCharter(program: Command): void {
  const charter = program
    .command('charter')
    .description('who the members are, what may be spent: proposed by the operator, signed by all');

  withConnection(charter.command('members'))
    .description('list who enrolled (operator, approver or auditor token)')
    .action(async (options: ConnectionOptions, command: Command) => {
      const members = await listParticipants(connectionOf(options));
      if (members.length === 0 && !isJson(command)) console.log('Nobody has enrolled yet.');
      for (const member of members)
        print(
          command,
          { event: 'participant', ...member },
          `${member.participantId}  ${member.status.padEnd(9)} ${String(member.declaredRecords).padStart(9)} records  ${member.publicKey.slice(0, 16)}…  ${member.name}`,
        );
    });

  withConnection(charter.command('approve'))
    .description('let enrolled participants into the next charter (operator token)')
    .argument('<participant...>', 'their ids; compare the keys with them out of band first')
    .action(async (ids: string[], options: ConnectionOptions, command: Command) => {
      const connection = connectionOf(options);
      for (const participantId of ids) {
        const approved = await ask<ParticipantView>(
          connection,
          `mutation ($input: ApproveParticipantInput!) { approveParticipant(input: $input) { ${FAILURE} ... on Participant { participantId name status } } }`,
          { input: { participantId, idempotencyKey: idempotencyKey() } },
        );
        print(command, { event: 'approved', ...approved }, `approved ${approved.name}`);
      }
    });

  withConnection(charter.command('propose'))
    .description('make the next charter from the approved participants (operator token)')
    .requiredOption('--schema <file>', 'Table Schema (Data Package v2) with public bounds and categories')
    .requiredOption('--epsilon <number>', 'limit of ε, against the coordinator with its colluders', Number)
    .requiredOption('--delta <number>', 'limit of δ', Number)
    .requiredOption('--min-survivors <number>', 'fewest contributions in a sum', wholeNumber(3, 64))
    .option(
      '--max-colluders <number>',
      'members that may conspire with the coordinator',
      wholeNumber(1, 62),
      1,
    )
    .option(
      '--orders <list>',
      'Rényi orders (2 to 1024) that enforce the limit, or 1 for Gaussian DP, separated by commas; by default the one Rényi order that suits ε and δ',
    )
    .option(
      '--hold-out <share>',
      'share of its records that each member keeps from training, so that quality can be measured; at most 0.5',
      number(0, 0.5),
    )
    .option('--max-epsilon <number>', 'hold a release back whose own sums cost more', number(0, 2 ** 40))
    .option(
      '--min-fidelity <number>',
      'hold a release back until its fidelity is measured as at least this',
      number(0, 1),
    )
    .option(
      '--max-attack-advantage <number>',
      'hold a release back until a membership attack is measured to gain at most this',
      number(0, 1),
    )
    .addHelpText(
      'after',
      `
Example:
  $ chorale charter propose --token-file operator.token --schema schema.json \\
      --epsilon 3 --delta 1e-6 --min-survivors 6`,
    )
    .action(
      async (
        options: ConnectionOptions &
          Record<'schema' | 'orders', string> &
          Record<'epsilon' | 'delta' | 'minSurvivors' | 'maxColluders', number> &
          Partial<Record<'holdOut' | 'maxEpsilon' | 'minFidelity' | 'maxAttackAdvantage', number>>,
        command: Command,
      ) => {
        const { epsilon, delta, minSurvivors, maxColluders, holdOut } = options;
        const { maxEpsilon, minFidelity, maxAttackAdvantage } = options;
        const gated = (maxEpsilon ?? minFidelity ?? maxAttackAdvantage) !== undefined;
        const orders =
          options.orders === undefined
            ? [suitableOrder(epsilon, delta)]
            : options.orders.split(',').map(Number);
        const proposed = await ask<CharterView>(
          connectionOf(options),
          `mutation ($input: ProposeCharterInput!) { proposeCharter(input: $input) { ${FAILURE} ... on Charter { ${CHARTER_FIELDS} } } }`,
          {
            input: {
              schema: readJsonFile(options.schema),
              epsilon,
              delta,
              orders,
              minSurvivors,
              maxColluders,
              ...(holdOut !== undefined && { holdOut }),
              ...(gated && { releaseGates: { maxEpsilon, minFidelity, maxAttackAdvantage } }),
              idempotencyKey: idempotencyKey(),
            },
          },
        );
        const { describeCohort, describeRelease, readCharter } = await import('../../federation/charter.js');
        print(
          command,
          { event: 'proposed', version: proposed.version, digest: proposed.digest, orders },
          `Charter version ${proposed.version}: ε ≤ ${epsilon} at δ = ${delta}, enforced at ${describeOrders(orders)}.\n` +
            `${describeCohort(readCharter(proposed.body))}\n${describeRelease(readCharter(proposed.body))}\nDigest ${proposed.digest}\n` +
            'Each member reads it ("chorale charter show") and signs it ("chorale charter sign").',
        );
      },
    );

  withConnection(charter.command('show'))
    .description('print the newest charter, who signed it and what it tolerates (any token)')
    .action(async (options: ConnectionOptions, command: Command) => {
      const shown = await ask<CharterView | null>(connectionOf(options), `{ charter { ${CHARTER_FIELDS} } }`);
      if (shown === null) throw new CliError('No charter has been proposed yet.');
      const { describeCohort, describeRelease, readCharter } = await import('../../federation/charter.js');
      const body = readCharter(shown.body);
      const signed = new Set(shown.signatures.map((s) => s.participantId));
      print(
        command,
        { event: 'charter', ...shown },
        `Charter version ${shown.version} of "${body.federation}", ${shown.status.toLowerCase()}\ndigest ${shown.digest}\n` +
          `ε ≤ ${body.privacy.epsilon} at δ = ${body.privacy.delta}, unit: one ${body.privacy.unit} (${body.privacy.relation}), enforced at ${describeOrders(body.privacy.orders)}\n` +
          `${describeCohort(body)}\n${describeRelease(body)}\n` +
          body.members
            .map(
              (m) =>
                `  ${signed.has(m.id) ? 'signed' : '      '}  ${m.id}  ${m.name} (${m.declaredRecords} records declared)`,
            )
            .join('\n'),
      );
    });

  charter
    .command('sign')
    .description('pin and sign a charter as a participant; "participant start" then sends the signature')
    .requiredOption('--dir <folder>', 'the participant’s folder')
    .requiredOption(
      '--digest <hex>',
      'the digest that the members agreed on, from the operator or another member',
    )
    .action(async (options: { dir: string; digest: string }, command: Command) => {
      const { signPinnedCharter } = await import('../../../clients/participant/signCharter.js');
      const { charter: body, digest } = await signPinnedCharter(options.dir, options.digest);
      const { describeCohort, describeRelease } = await import('../../federation/charter.js');
      print(
        command,
        { event: 'signed', digest },
        `Pinned and signed charter version ${body.version}: ε ≤ ${body.privacy.epsilon} at δ = ${body.privacy.delta}.\n${describeCohort(body)}\n${describeRelease(body)}`,
      );
    });
}

function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!(value >= least && value <= most))
      throw new InvalidArgumentError(`a number from ${least} to ${most} is wanted.`);
    return value;
  };
}

/**
 * The order at which a Gaussian that just meets (ε, δ) converts best: α = 1 + √(ln(1/δ)/ρ) with ρ = (√(ε + L) − √L)², L = ln(1/δ)
 * (Bun and Steinke 2016, Proposition 1.3 and Lemma 3.5). Any order is valid; this one wastes least.
 */
export function suitableOrder(epsilon: number, delta: number): number {
  const l = Math.log(1 / delta);
  const rho = (Math.sqrt(epsilon + l) - Math.sqrt(l)) ** 2;
  return Math.min(64, Math.max(2, Math.round(1 + Math.sqrt(l / rho))));
}
