import type { ColumnCondition, SampleConditions } from '../../synthesis/synthesizer.js';
import { CliError, EXIT } from '../exits.js';

const BOUNDS = { '>=': 'from', '<=': 'to', '>': 'above', '<': 'below' } as const;

/**
 * `column>=value`, `<=`, `>`, `<` for numbers and dates; `column=value`, several as `column=a|b`, a missing value as `column=`. The
 * first sign after the column's name counts: `income=>50K` is the category ">50K". What this cannot write is written as
 * JSON: `{"column": {"in": ["a|b"]}}`. Bounds of one column that come apart make one range.
 * @throws CliError
 */
export function whereOf(texts: readonly string[]): SampleConditions['where'] {
  const where = new Map<string, Record<string, unknown>>();
  for (const text of texts)
    for (const [column, condition] of text.trimStart().startsWith('{') ? jsonOf(text) : [comparison(text)]) {
      const before = where.get(column);
      const both = { ...before, ...condition };
      const lost =
        Object.keys(before ?? {}).length + Object.keys(condition).length - Object.keys(both).length;
      if (lost > 0 || (before !== undefined && 'in' in both))
        throw refusal(
          `--where says two things of "${column}" that do not go together: give one list (a|b) or one range.`,
        );
      where.set(column, both);
    }
  return where.size === 0 ? undefined : (Object.fromEntries(where) as Record<string, ColumnCondition>);
}

function comparison(text: string): [string, Record<string, unknown>] {
  const parts = /^([^<>=]+)(>=|<=|>|<|=)(.*)$/s.exec(text);
  if (parts === null)
    throw refusal(`--where '${text}': write column=value, column=a|b, column>=value, <=, > or <.`);
  const [, column, sign, value] = parts as unknown as [string, string, keyof typeof BOUNDS | '=', string];
  return sign === '='
    ? [column.trim(), { in: value.split('|').map((item) => (item === '' ? null : item)) }]
    : [column.trim(), { [BOUNDS[sign]]: value }];
}

/**
 * `column=value:share,value:share`; a value may hold signs, since it ends at the last colon. JSON otherwise.
 * @throws CliError
 */
export function balanceOf(text: string | undefined): SampleConditions['balance'] {
  if (text === undefined) return undefined;
  if (text.trimStart().startsWith('{')) return parsedJson(text) as SampleConditions['balance'];
  const at = text.indexOf('=');
  const shares = text
    .slice(at + 1)
    .split(',')
    .map((part) => {
      const colon = part.lastIndexOf(':');
      const share = Number(part.slice(colon + 1));
      if (colon < 0 || part.slice(colon + 1).trim() === '' || !Number.isFinite(share))
        throw refusal(`--balance '${text}': write column=value:share,value:share, or JSON.`);
      const value = part.slice(0, colon);
      return { value: value === '' ? null : value, share };
    });
  if (at <= 0) throw refusal(`--balance '${text}': write column=value:share,value:share, or JSON.`);
  return { column: text.slice(0, at).trim(), shares };
}

function jsonOf(text: string): readonly [string, Record<string, unknown>][] {
  return Object.entries(parsedJson(text) as Record<string, Record<string, unknown>>);
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CliError(`'${text}' is not JSON.`, EXIT.usage, 'InvalidInput', { cause });
  }
}

function refusal(message: string): CliError {
  return new CliError(message, EXIT.usage, 'InvalidInput');
}
