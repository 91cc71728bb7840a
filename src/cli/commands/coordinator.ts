import { type Command, InvalidArgumentError } from 'commander';
import { onStop } from '../stop.js';

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`a whole number from ${min} to ${max} is wanted.`);
    return value;
  };
}

interface StartOptions {
  readonly data: string;
  readonly federation?: string;
  readonly host: string;
  readonly port: number;
  readonly databaseUrl?: string;
  readonly phaseDeadline: number;
  readonly reconnectGrace: number;
  readonly gather: number;
  readonly quorumWait: number;
  readonly slots: number;
}

export function registerCoordinator(program: Command): void {
  const coordinator = program
    .command('coordinator')
    .description('the server that asks, adds and remembers; it never sees a record');
  coordinator
    .command('start')
    .description('start the coordinator, or go on after a crash: runs in progress go on by themselves')
    .requiredOption('--data <folder>', 'database, models and first tokens (made 0700 on the first start)')
    .option('--federation <name>', 'the federation it serves; needed on the first start')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on, 0 for any free one', wholeNumber(0, 65535), 4000)
    .option(
      '--database-url <url>',
      'a PostgreSQL server instead of the embedded one (or DATABASE_URL)',
      process.env.DATABASE_URL,
    )
    .option(
      '--phase-deadline <ms>',
      'time for one answer of a connected participant',
      wholeNumber(100, 86_400_000),
      30_000,
    )
    .option(
      '--reconnect-grace <ms>',
      'time that lost participants have to come back in a phase',
      wholeNumber(0, 86_400_000),
      2_000,
    )
    .option(
      '--gather <ms>',
      'time to wait for the whole roster before going on with a quorum',
      wholeNumber(0, 86_400_000),
      5_000,
    )
    .option(
      '--quorum-wait <ms>',
      'time to wait for a quorum before a run is aborted',
      wholeNumber(0, 864_000_000),
      120_000,
    )
    .option('--slots <number>', 'key slots set up together', wholeNumber(1, 64), 32)
    .addHelpText(
      'after',
      `
Examples:
  $ chorale coordinator start --data ./coordinator --federation bird-strikes
  $ DATABASE_URL=postgresql://… chorale coordinator start --data ./coordinator --federation bird-strikes --port 4100

On the first start it writes <data>/operator.token and <data>/approver.token (mode 0600): give them to two people.`,
    )
    .action(async (options: StartOptions, command: Command) => {
      const json = command.optsWithGlobals().json === true;
      const { startCoordinator } = await import('../../coordinator.js');
      const { pino } = await import('pino');
      const logger = pino({ level: process.env.CHORALE_LOG ?? 'info' }, pino.destination(2));
      const running = await startCoordinator({
        dataDir: options.data,
        ...(options.federation === undefined ? {} : { federation: options.federation }),
        ...(options.databaseUrl === undefined ? {} : { databaseUrl: options.databaseUrl }),
        host: options.host,
        port: options.port,
        timing: {
          phaseDeadlineMs: options.phaseDeadline,
          reconnectGraceMs: options.reconnectGrace,
          gatherMs: options.gather,
          quorumWaitMs: options.quorumWait,
          slotsPerBlock: options.slots,
        },
        logger,
      });
      if (json) {
        const { url, federation, engine, tokenFiles } = running;
        console.log(JSON.stringify({ event: 'listening', url, federation, engine, tokenFiles }));
      } else {
        console.log(`Coordinator of "${running.federation}" at ${running.url}/graphql`);
        console.log(`Learning engine: ${running.engine}`);
        console.log(`Tokens: ${running.tokenFiles.join(', ')}`);
      }
      await onStop(() => running.close());
    });
}
