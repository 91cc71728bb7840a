import type { Readable } from 'node:stream';
import type { Json } from '../../crypto/canonical.js';
import { eachRecord } from '../../synthesis/table/csvRecords.js';
import { MAX_CATEGORIES, MAX_FIELDS } from '../../synthesis/table/schema.js';
import { CliError, EXIT } from '../exits.js';
import { type ColumnProfile, columnProfiler } from './columnProfile.js';
import { type CalendarBounds, roundCalendar, roundNumbers } from './roundOutward.js';

/** A whole-number column with at most so many values is drafted as categories: codes rather than amounts. */
const FEW_NUMBERS = 10;
/** Fewer values may all differ by chance. */
const FEWEST_IDENTIFIERS = 20;
/** The texts of booleans that a Table Schema reads without being told (its trueValues and falseValues). */
const BOOLEANS = new Set(['true', 'True', 'TRUE', 'false', 'False', 'FALSE']);

export type DraftedField = Readonly<Record<string, Json>> & { readonly name: string };

export interface Draft {
  readonly schema: Readonly<Record<string, Json>> & { readonly fields: readonly DraftedField[] };
  /** Fields with a bound or category that was read from the file. */
  readonly unconfirmed: readonly string[];
  /** Columns that are not in the schema, and why. */
  readonly leftOut: readonly { readonly column: string; readonly reason: string }[];
}

/**
 * A Table Schema that every record of a CSV file is valid by, but for the columns that are left out. Read in one pass.
 * @throws InvalidRecords where it is no CSV, CliError where no column can be drafted.
 */
export async function draftSchema(input: string | Readable, maxCategories: number): Promise<Draft> {
  const columns: { readonly name: string; readonly fault: string | undefined }[] = [];
  const profilers: ReturnType<typeof columnProfiler>[] = [];
  await eachRecord(input, (header) => {
    for (const [index, name] of header.entries()) {
      columns.push({ name: name === '' ? `column ${index + 1}` : name, fault: nameFault(header, name) });
      profilers.push(columnProfiler(name, Math.max(maxCategories, FEW_NUMBERS)));
    }
    return (cells) => {
      cells.forEach((text, index) => {
        profilers[index]?.take(text);
      });
      return undefined;
    };
  });
  const profiles = profilers.map((profiler) => profiler.profile());
  const missing = [...new Set(['', ...profiles.flatMap((profile) => [...profile.missing])])];
  const fields: DraftedField[] = [];
  const leftOut: { column: string; reason: string }[] = [];
  profiles.forEach((profile, index) => {
    const { name, fault } = columns[index] as (typeof columns)[number];
    const field = fault ?? draftField(profile, maxCategories, missing);
    if (typeof field === 'string') leftOut.push({ column: name, reason: field });
    else if (fields.length === MAX_FIELDS)
      leftOut.push({ column: name, reason: `a schema has at most ${MAX_FIELDS} fields` });
    else fields.push({ name, ...field });
  });
  if (fields.length === 0)
    throw new CliError(
      `No column can be drafted: ${leftOut.map(({ column, reason }) => `"${column}": ${reason}`).join('; ')}.`,
      EXIT.refused,
      'InvalidInput',
    );
  const $schema = 'https://datapackage.org/profiles/2.0/tableschema.json';
  const schema = { $schema, fields, ...(missing.length === 1 ? {} : { missingValues: missing }) };
  const unconfirmed = fields.filter((field) => 'chorale:unconfirmed' in field).map(({ name }) => name);
  return { schema, unconfirmed, leftOut };
}

function nameFault(header: readonly string[], name: string): string | undefined {
  if (name === '') return 'it has no name; give it one in the file’s first line';
  if (header.indexOf(name) !== header.lastIndexOf(name)) return 'the file has it twice; rename one';
  return undefined;
}

/** The properties of a field but for its name, or why there can be none. */
function draftField(
  profile: ColumnProfile,
  maxCategories: number,
  missing: readonly string[],
): Readonly<Record<string, Json>> | string {
  const { calendar, texts, present, unique } = profile;
  if (present === 0) return 'it has no values';
  const numbers = amounts(profile);
  const exception = numbers?.exception;
  const required = profile.missing.size === 0 && exception === undefined;
  const domain = (constraints: Readonly<Record<string, Json>>): Record<string, Json> => ({
    ...(exception === undefined ? {} : { missingValues: [...missing, exception] }),
    constraints: { ...(required ? { required } : {}), ...constraints },
    'chorale:unconfirmed': true,
  });
  const identifier = unique && present >= FEWEST_IDENTIFIERS;
  if (calendar !== undefined && (calendar.type !== 'year' || YEAR.test(profile.name))) {
    const { minimum, maximum }: CalendarBounds = roundCalendar(calendar.type, calendar);
    const bounds = calendar.utc ? { minimum: `${minimum}Z`, maximum: `${maximum}Z` } : { minimum, maximum };
    return { type: calendar.type, ...domain(bounds) };
  }
  if (numbers !== undefined) {
    const { whole, minimum, maximum } = numbers;
    if (whole && identifier) return IDENTIFIER;
    if (!Number.isFinite(maximum - minimum)) return 'its numbers are too far apart for bounds';
    const type = whole ? 'integer' : 'number';
    const values = [...new Set([...(texts ?? [])].map((text) => Number(text) + 0))];
    if (minimum === maximum || (whole && texts !== undefined && values.length <= FEW_NUMBERS))
      return { type, ...domain({ enum: values.sort((a, b) => a - b) }) };
    return { type, ...domain({ ...roundNumbers(numbers) }) };
  }
  if (texts !== undefined && [...texts].every((text) => BOOLEANS.has(text)))
    return { type: 'boolean', ...(required ? { constraints: { required } } : {}) };
  if (identifier) return IDENTIFIER;
  if (texts === undefined || texts.size > maxCategories)
    return `it has more than ${maxCategories} different texts; group them, or raise --max-categories (at most ${MAX_CATEGORIES})`;
  return { type: 'string', ...domain({ enum: [...texts].sort() }) };
}

/**
 * Numbers, of which one single other text is a code for "none" ("N" where others have an amount); beside few different numbers
 * it is a code among codes.
 */
function amounts({ numbers, texts }: ColumnProfile): ColumnProfile['numbers'] {
  if (numbers?.exception !== undefined && texts !== undefined && texts.size <= FEW_NUMBERS + 1)
    return undefined;
  return numbers;
}

/** Four digits alone are not yet a year. */
const YEAR = /year|jahr|année|año/i;
const IDENTIFIER =
  'all its values differ, so it is likely an identifier, and a synthetic one would be invented; if it is none, add it by hand';
