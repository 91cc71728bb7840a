import type { Command } from 'commander';
import { isJson } from '../connection.js';
import { wholeNumber } from './coordinator.js';

export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('eight airlines make one synthetic table of bird strikes together, on this machine')
    .option('--quick', 'few rounds, in less than a minute')
    .option('--keep', 'leave the coordinator and the participants up afterwards, until Ctrl-C')
    .option(
      '--out <folder>',
      'where everything goes; the next free name beside it if it is taken',
      'chorale-demo',
    )
    .option(
      '--port <number>',
      'port of the coordinator; the next free one if it is taken',
      wholeNumber(1, 65435),
      4000,
    )
    .option('--rows <number>', 'synthetic rows to draw', wholeNumber(100, 1_000_000), 10_000)
    .addHelpText(
      'after',
      `
Nine processes are started with the same commands that a deployment uses; one is killed in the middle.
Examples:
  $ chorale demo
  $ chorale demo --quick --json`,
    )
    .action(
      async (
        options: { quick?: boolean; keep?: boolean; out: string; port: number; rows: number },
        command: Command,
      ) => {
        const { runDemo } = await import('../demo/demo.js');
        await runDemo({
          ...options,
          quick: options.quick === true,
          keep: options.keep === true,
          json: isJson(command),
        });
      },
    );
}
