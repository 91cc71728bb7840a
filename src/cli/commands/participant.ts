import type { Command } from 'commander';
import { isJson, print } from '../connection.js';
import { wholeNumber } from './coordinator.js';

export function registerParticipant(program: Command): void {
  const participant = program
    .command('participant')
    .description('the client beside an organisation’s records; they never leave it');

  participant
    .command('init')
    .description('make a folder with a fresh identity key for this organisation')
    .requiredOption('--dir <folder>', 'folder to make (mode 0700)')
    .requiredOption('--coordinator <url>', 'where the coordinator is')
    .requiredOption('--federation <name>', 'the federation to join')
    .requiredOption('--name <name>', 'the organisation’s name, as the charter will have it')
    .requiredOption(
      '--declared-records <number>',
      'how many records it will bring: public, rounded, an undertaking',
      wholeNumber(1, 2_000_000_000),
    )
    .addHelpText(
      'after',
      `
Example:
  $ chorale participant init --dir ./north --coordinator http://127.0.0.1:4000 \\
      --federation my-federation --name "North Hospital" --declared-records 12000`,
    )
    .action(
      async (
        options: {
          dir: string;
          coordinator: string;
          federation: string;
          name: string;
          declaredRecords: number;
        },
        command: Command,
      ) => {
        const { initHome } = await import('../../../clients/participant/home.js');
        const { nodePrimitives } = await import('../../crypto/nodePrimitives.js');
        const { systemRng } = await import('../../crypto/rng.js');
        const { dir, coordinator, federation, name, declaredRecords } = options;
        const identity = initHome(
          dir,
          { coordinator, federation, name, declaredRecords },
          systemRng(),
          nodePrimitives,
        );
        print(
          command,
          { event: 'identity', publicKey: identity.publicKey },
          `Identity of ${name}: ${identity.publicKey}\nKept in ${dir}/identity.key (mode 0600). Tell the operator this key by another way than the network.`,
        );
      },
    );

  participant
    .command('start')
    .description('enrol, then answer the coordinator’s questions with noise, until stopped')
    .requiredOption('--dir <folder>', 'the folder that "participant init" made')
    .requiredOption('--records <csv>', 'this organisation’s records, by the charter’s schema')
    .option(
      '--clamp',
      'move what is outside the public bounds or constraints to the nearest within, instead of refusing the file',
    )
    .addHelpText(
      'after',
      `
Example:
  $ chorale participant start --dir ./north --records north.csv

It waits, with a message, for the coordinator, for the operator's approval and for a charter
that you pinned with "chorale charter sign". Its own record of what was spent is <dir>/spending.jsonl.`,
    )
    .action(async (options: { dir: string; records: string; clamp?: boolean }, command: Command) => {
      const { accessSync, constants } = await import('node:fs');
      const { lockHome, readIdentity } = await import('../../../clients/participant/home.js');
      const { participate } = await import('../../../clients/participant/participate.js');
      const { createMaskThreads } = await import('../../crypto/maskThreads.js');
      const { nodePrimitives } = await import('../../crypto/nodePrimitives.js');
      const { systemRng } = await import('../../crypto/rng.js');
      const { parseTableSchema, readCsv, startEngine } = await import('../../synthesis/index.js');
      const { movedNotices } = await import('../schema/notices.js');
      const json = isJson(command);
      const notice = (event: string, figures: Readonly<Record<string, string | number>> = {}) => {
        if (json) console.log(JSON.stringify({ event, ...figures }));
        else if (event !== 'round answered')
          console.log(
            [event, ...Object.entries(figures).map(([key, value]) => `${key} ${value}`)].join('; '),
          );
      };
      readIdentity(options.dir, nodePrimitives);
      // A wrong path is known at once, not after the wait for a charter.
      accessSync(options.records, constants.R_OK);
      const unlock = lockHome(options.dir);
      const stop = new AbortController();
      const end = () => (stop.signal.aborted ? process.exit(130) : stop.abort());
      process.on('SIGINT', end);
      process.on('SIGTERM', end);
      try {
        await participate({
          dir: options.dir,
          async openRecords(declared) {
            const engine = await startEngine();
            notice('learning engine', { engine: engine.description });
            const schema = parseTableSchema(declared);
            return readCsv(options.records, schema, {
              outOfBounds: options.clamp === true ? 'clamp' : 'refuse',
              // As private as the records: for a person at the terminal, never for a log that others collect.
              counted: (moved) => {
                if (process.stderr.isTTY) for (const line of movedNotices(moved, schema)) console.error(line);
              },
            });
          },
          rng: systemRng(),
          primitives: nodePrimitives,
          masks: createMaskThreads(),
          now: Date.now,
          notice,
          signal: stop.signal,
        });
      } catch (error) {
        if (!stop.signal.aborted) throw error;
      } finally {
        unlock();
      }
      process.exit(0);
    });
}
