import { renameSync, writeFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { type Assessment, assess } from '../../evaluation/assess.js';
import { renderAssessment } from '../../evaluation/report/renderAssessment.js';
import { parseTableSchema } from '../../synthesis/index.js';
import { CliError, EXIT, readJsonFile } from '../exits.js';
import { checkWritable } from '../simulate/table.js';
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
  if (out !== undefined) checkPage(out);
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
    const title = `How good is ${files.synthetic}?`;
    writeWhole(out, renderAssessment(assessment, { title, generatedAt: now.toISOString(), files }));
    writeWhole(jsonBeside(out), `${JSON.stringify(assessment, undefined, 1)}\n`);
  }
  return assessment;
}

export function jsonBeside(page: string): string {
  return `${page.slice(0, page.length - extname(page).length)}.json`;
}

/** Known before the half minute of an evaluation, not after it. */
function checkPage(out: string): void {
  if (!/^\.html?$/i.test(extname(out)))
    throw new CliError(`--out ${out}: a page's name ends in .html.`, EXIT.usage, 'InvalidInput');
  checkWritable(out);
}

function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.part`, text);
  renameSync(`${path}.part`, path);
}
