import type { Json } from '../../crypto/canonical.js';
import { bootstrapRows, parseTableSchema, readCsv } from '../../synthesis/index.js';
import type { Terminal } from '../demo/terminal.js';
import { CliError, EXIT, readJsonFile } from '../exits.js';
import { randomnessOf } from './randomness.js';
import { checkWritable, writeTable } from './table.js';

export interface BootstrapSettings {
  /** A Table Schema file. */
  readonly schema: string;
  /** One file: one's own. */
  readonly participants: readonly string[];
  readonly outOfBounds: 'clamp' | 'refuse';
  readonly rows: number;
  readonly seed?: string;
  readonly out: string;
  readonly report?: string;
}

/** Who may read a file of real records: its owner. */
const OWNER_ONLY = 0o600;

/**
 * The yardstick `bootstrap`: rows of one's own file, drawn again. No federation, no noise, no ε, and it says so.
 * Throws CliError, InvalidRecords, InvalidTableSchema; then nothing is written.
 */
export async function bootstrapTable(
  { schema: file, participants, outOfBounds, rows, seed, out, report }: BootstrapSettings,
  terminal: Terminal,
): Promise<void> {
  const [own, ...others] = participants;
  if (own === undefined || others.length > 0)
    throw new CliError(
      'bootstrap draws again from one’s own records: give --participants one file, your own.',
      EXIT.usage,
      'InvalidInput',
    );
  if (report !== undefined)
    throw new CliError(
      'bootstrap holds nothing out, so it has no --report: give its table and rows of your own to chorale evaluate.',
      EXIT.usage,
      'InvalidInput',
    );
  checkWritable(out);
  const schema = parseTableSchema(readJsonFile(file) as Json);
  const records = await readCsv(own, schema, { outOfBounds });
  try {
    const request = { seed: randomnessOf(seed, 'bootstrap')(32), offset: 0, count: rows };
    await writeTable(out, schema, bootstrapRows(records, request), { mode: OWNER_ONLY });
  } finally {
    await records.close();
  }
  terminal.step(
    'bootstrap',
    `${rows.toLocaleString('en-US')} rows of ${own}, drawn again, in ${out}. Every one is a real record: ε is infinite, whatever --epsilon says. A yardstick, to be kept inside.`,
    { synthesizer: 'bootstrap', rows, out, epsilon: null, seed: seed ?? null },
  );
}
