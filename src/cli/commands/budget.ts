import { accessSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describeOrders } from '../../privacy/filterOrders.js';
import {
  ask,
  type ConnectionOptions,
  connectionOf,
  FAILURE,
  idempotencyKey,
  print,
  withConnection,
} from '../connection.js';
import { CliError, EXIT, readJsonFile } from '../exits.js';

interface BudgetView {
  readonly epsilonLimit: number;
  readonly epsilonSpent: number;
  readonly epsilonReserved: number;
  readonly epsilonRemaining: number;
  readonly delta: number;
  readonly orders: readonly number[];
}

export function registerBudget(program: Command): void {
  const budget = program
    .command('budget')
    .description('what was asked, what ε was spent, by which round, and what is left (auditor token)');

  withConnection(budget.command('show', { isDefault: true }))
    .description('limit, spent, reserved and remaining ε')
    .action(async (options: ConnectionOptions, command: Command) => {
      const shown = await ask<BudgetView>(
        connectionOf(options),
        `{ privacyBudget { ${FAILURE} ... on PrivacyBudget { epsilonLimit epsilonSpent epsilonReserved epsilonRemaining delta orders } } }`,
      );
      const { epsilonLimit, epsilonSpent, epsilonReserved, epsilonRemaining, delta, orders } = shown;
      print(
        command,
        { event: 'budget', ...shown },
        `ε spent ${epsilonSpent.toFixed(4)}, with reservations ${epsilonReserved.toFixed(4)}, remaining ${epsilonRemaining.toFixed(4)} of ${epsilonLimit}\n` +
          `at δ = ${delta}, ${describeOrders(orders)}, against the coordinator together with its possible colluders.`,
      );
    });

  withConnection(budget.command('export'))
    .description('write the whole ledger, with charter and rounds, to a file that anybody can check')
    .requiredOption('--out <file>', 'JSON file to write')
    .action(async (options: ConnectionOptions & { out: string }, command: Command) => {
      const { fetchLedger } = await import('../ledgerExport.js');
      const ledger = await fetchLedger(connectionOf(options));
      writeFileSync(options.out, `${JSON.stringify(ledger, null, 1)}\n`);
      print(
        command,
        { event: 'exported', out: options.out, entries: ledger.entries.length },
        `${ledger.entries.length} entries in ${options.out}`,
      );
    });

  budget
    .command('verify')
    .description('recompute plans, costs and ε from a ledger file; needs no coordinator')
    .argument('<file>', 'what "budget export" wrote')
    .option('--spending <file>', 'a participant’s own spending.jsonl, to be compared with the ledger')
    .addHelpText(
      'after',
      `
Which sums were asked, and of whom, is the coordinator's word: a round that it leaves out, or calls
aborted, is missed by the participant's own record alone. Export the ledger when no run is going on.

Example:
  $ chorale budget verify ledger.json --spending ./north/spending.jsonl`,
    )
    .action(async (file: string, { spending }: { spending?: string }, command: Command) => {
      const { verifyLedger } = await import('../ledgerFile.js');
      const { readSpendingRecord } = await import('../../../clients/participant/spendingRecord.js');
      // A record that is not there would contradict nothing.
      if (spending !== undefined) accessSync(spending);
      const member = spending === undefined ? undefined : readSpendingRecord(spending);
      const verdict = verifyLedger(readJsonFile(file), member);
      if (verdict.faults.length > 0)
        throw new CliError(
          `The ledger does not add up: ${verdict.faults.join('; ')}.`,
          EXIT.refused,
          'LedgerFault',
        );
      print(
        command,
        { event: 'verified', ...verdict },
        `The ledger adds up: ε = ${verdict.epsilon.toFixed(6)} at δ = ${verdict.delta} from ${verdict.committed} committed sums (${verdict.reserved} open, ${verdict.voided} voided), all members signed the charter` +
          (member === undefined ? '.' : `; ${spending} contradicts none of it.`),
      );
    });

  withConnection(budget.command('token'))
    .description('make an access token for an auditor or an application (operator token)')
    .requiredOption('--role <role>', 'auditor or application')
    .requiredOption('--name <name>', 'whose it is')
    .requiredOption('--out <file>', 'file to write it to (mode 0600)')
    .action(
      async (options: ConnectionOptions & { role: string; name: string; out: string }, command: Command) => {
        const created = await ask<{ secret: string; token: { tokenId: string; role: string } }>(
          connectionOf(options),
          `mutation ($input: CreateAccessTokenInput!) { createAccessToken(input: $input) { ${FAILURE} ... on CreatedAccessToken { secret token { tokenId role } } } }`,
          {
            input: { name: options.name, role: options.role.toUpperCase(), idempotencyKey: idempotencyKey() },
          },
        );
        writeFileSync(options.out, `${created.secret}\n`, { mode: 0o600, flag: 'wx' });
        print(
          command,
          { event: 'token', id: created.token.tokenId, role: created.token.role, out: options.out },
          `Token of ${options.name} in ${options.out}`,
        );
      },
    );
}
