import { renameSync, writeFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { Assessment } from '../../evaluation/assess.js';
import { renderAssessment } from '../../evaluation/report/renderAssessment.js';
import { CliError, EXIT } from '../exits.js';
import { checkWritable } from '../simulate/table.js';

/** What the page calls the three tables. */
export interface TableNames {
  readonly train: string;
  readonly real: string;
  readonly synthetic: string;
}

/** The page, and beside it the JSON, each only when it is whole. */
export function writePage(out: string, assessment: Assessment, files: TableNames, now: Date): void {
  const title = `How good is ${files.synthetic}?`;
  writeWhole(out, renderAssessment(assessment, { title, generatedAt: now.toISOString(), files }));
  writeWhole(jsonBeside(out), `${JSON.stringify(assessment, undefined, 1)}\n`);
}

export function jsonBeside(page: string): string {
  return `${page.slice(0, page.length - extname(page).length)}.json`;
}

/** Known before the half minute of an evaluation, not after it. */
export function checkPage(option: string, out: string): void {
  if (!/^\.html?$/i.test(extname(out)))
    throw new CliError(`${option} ${out}: a page's name ends in .html.`, EXIT.usage, 'InvalidInput');
  checkWritable(out);
}

function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.part`, text);
  renameSync(`${path}.part`, path);
}
