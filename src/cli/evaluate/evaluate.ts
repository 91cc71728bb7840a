import { basename } from 'node:path';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { type Assessment, assess } from '../../evaluation/assess.js';
import { parseTableSchema } from '../../synthesis/index.js';
import { readJsonFile } from '../exits.js';
import { checkPage, writePage } from './page.js';
import { rowsOf } from './rows.js';

export interface EvaluateSettings {
  /** CSV files. */
  readonly real: string;
  readonly train: string;
  readonly synthetic: string;
  /** A Table Schema file. */
  readonly schema: string;
  /** An HTML file; nothing is written where it is left out. */
  readonly out?: string;
  readonly label?: string;
  readonly protectedColumns?: readonly string[];
  readonly privacy?: { readonly epsilon: number; readonly delta: number };
  readonly seed: string;
}

/**
 * Judges the table, and writes the page and beside it the JSON, each only when it is whole. Throws CliError, EvaluationError
 * and InvalidTableSchema; then nothing is written.
 */
export async function evaluateFiles(settings: EvaluateSettings, now: Date): Promise<Assessment> {
  const { schema: path, out } = settings;
  if (out !== undefined) checkPage('--out', out);
  const declared = readJsonFile(path);
  const schema = parseTableSchema(declared);
  const { label, protectedColumns, privacy, seed } = settings;
  const assessment = await assess({
    schema,
    train: rowsOf(settings.train, schema),
    real: rowsOf(settings.real, schema),
    synthetic: rowsOf(settings.synthetic, schema),
    seed: utf8ToBytes(`chorale/evaluate/${seed}`),
    ...(label !== undefined && { label }),
    ...(protectedColumns && { protectedColumns }),
    ...(privacy && { privacy }),
  });
  if (out !== undefined) {
    const files = {
      train: basename(settings.train),
      real: basename(settings.real),
      synthetic: basename(settings.synthetic),
    };
    writePage(out, assessment, files, now);
  }
  return assessment;
}
