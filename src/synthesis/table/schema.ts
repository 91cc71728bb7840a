import { z } from 'zod';
import type { Json } from '../../crypto/canonical.js';
import { InvalidTableSchema } from '../errors.js';
import { parseCalendar } from './calendar.js';

/**
 * Table Schema (Data Package v2, https://datapackage.org/standard/table-schema/) with what differential privacy asks
 * for on top: every category and every bound is stated, since one that is read from the data is a release of the data.
 * A keyword that Chorale would not keep to is refused, not ignored.
 */
export const FIELD_TYPES = ['string', 'integer', 'number', 'boolean', 'date', 'year', 'yearmonth'] as const;
export type FieldType = (typeof FIELD_TYPES)[number];
export type RangeType = 'integer' | 'number' | 'date' | 'year' | 'yearmonth';

/** Limits, so that a model's size is known before a row is read. */
export const MAX_FIELDS = 512;
export const MAX_CATEGORIES = 1024;
export const MAX_BINS = 256;

interface FieldBase {
  readonly name: string;
  /** A required field has no missing values, neither read nor generated. */
  readonly required: boolean;
  /** `chorale:label`: the column that a model trained on the table would predict. */
  readonly label: boolean;
  /** Cell texts that mean "missing". */
  readonly missingValues: ReadonlySet<string>;
}

/** A field whose values are listed: `enum`, or a boolean. */
export interface CategoricalField extends FieldBase {
  readonly domain: 'categories';
  readonly type: FieldType;
  readonly categories: readonly (string | number | boolean)[];
  /** Index into `categories` by the text of a cell; for numbers by the text of the parsed number. */
  readonly indexOf: ReadonlyMap<string, number>;
}

/** A field whose values lie between two public bounds. Dates are ordinals: see calendar.ts. */
export interface RangeField extends FieldBase {
  readonly domain: 'range';
  readonly type: RangeType;
  readonly minimum: number;
  readonly maximum: number;
  /** `chorale:bins`: a count of equal bins, or increasing edges from minimum to maximum; undefined leaves the choice. */
  readonly bins: number | readonly number[] | undefined;
}

export type Field = CategoricalField | RangeField;

export interface TableSchema {
  readonly fields: readonly Field[];
  /** `fieldsMatch` exact or equal: a file may have no other columns. Otherwise others are left unread. */
  readonly onlyTheseColumns: boolean;
  /** The schema as it was written, for the charter's canonical digest. */
  readonly json: Json;
}

const missingValuesJson = z.array(
  z.union([z.string(), z.strictObject({ value: z.string(), label: z.string() })]),
);
const fieldJson = z.strictObject({
  name: z.string().min(1),
  type: z.enum(FIELD_TYPES),
  format: z.literal('default').optional(),
  title: z.string().optional(),
  description: z.string().optional(),
  example: z.unknown().optional(),
  rdfType: z.string().optional(),
  missingValues: missingValuesJson.optional(),
  trueValues: z.array(z.string()).min(1).optional(),
  falseValues: z.array(z.string()).min(1).optional(),
  constraints: z
    .strictObject({
      required: z.boolean().optional(),
      enum: z
        .array(z.union([z.string(), z.number(), z.boolean()]))
        .min(1)
        .optional(),
      minimum: z.union([z.string(), z.number()]).optional(),
      maximum: z.union([z.string(), z.number()]).optional(),
    })
    .optional(),
  'chorale:bins': z.union([z.number(), z.array(z.union([z.string(), z.number()]))]).optional(),
  'chorale:label': z.boolean().optional(),
});
const schemaJson = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().optional(),
  title: z.string().optional(),
  description: z.string().optional(),
  fields: z.array(z.unknown()).min(1).max(MAX_FIELDS),
  fieldsMatch: z
    .union([z.enum(['exact', 'equal', 'subset']), z.tuple([z.enum(['exact', 'equal', 'subset'])])])
    .optional(),
  missingValues: missingValuesJson.optional(),
});
type FieldJson = z.infer<typeof fieldJson>;

/** @throws InvalidTableSchema naming the field, what is wrong, and what to write instead. */
export function parseTableSchema(json: unknown): TableSchema {
  const parsed = schemaJson.safeParse(json);
  if (!parsed.success) throw new InvalidTableSchema(undefined, firstIssue(parsed.error));
  const missing = textsOf(parsed.data.missingValues ?? ['']);
  const fields = parsed.data.fields.map((item, index) => {
    const field = fieldJson.safeParse(item);
    if (field.success) return parseField(field.data, missing);
    const named = z.object({ name: z.string() }).safeParse(item);
    throw new InvalidTableSchema(named.success ? named.data.name : `#${index + 1}`, firstIssue(field.error));
  });
  const seen = new Set<string>();
  for (const { name } of fields) {
    if (seen.has(name)) throw new InvalidTableSchema(name, 'is there twice; give each field its own name');
    seen.add(name);
  }
  if (fields.filter((field) => field.label).length > 1)
    throw new InvalidTableSchema(undefined, 'more than one field has chorale:label; leave it on one');
  const match = [parsed.data.fieldsMatch ?? 'subset'].flat()[0];
  return { fields, onlyTheseColumns: match !== 'subset', json: structuredClone(json) as Json };
}

function parseField(json: FieldJson, schemaMissing: ReadonlySet<string>): Field {
  const base: FieldBase = {
    name: json.name,
    required: json.constraints?.required ?? false,
    label: json['chorale:label'] ?? false,
    missingValues: json.missingValues === undefined ? schemaMissing : textsOf(json.missingValues),
  };
  if ((json.trueValues ?? json.falseValues) !== undefined && json.type !== 'boolean')
    throw new InvalidTableSchema(json.name, 'trueValues and falseValues belong to booleans only');
  if (json.type === 'boolean' || json.constraints?.enum !== undefined) return categoricalField(json, base);
  if (json.type === 'string')
    throw new InvalidTableSchema(
      json.name,
      'a string field needs constraints.enum: its categories are public, they are never learnt from the records',
    );
  return rangeField(json, json.type, base);
}

function categoricalField(json: FieldJson, base: FieldBase): CategoricalField {
  const { type, constraints } = json;
  const refuse = (message: string) => new InvalidTableSchema(json.name, message);
  if (constraints?.minimum !== undefined || constraints?.maximum !== undefined)
    throw refuse(
      'has categories, so it can have no minimum or maximum; leave the values out of the enum instead',
    );
  if (json['chorale:bins'] !== undefined)
    throw refuse('chorale:bins is for fields with a minimum and a maximum');
  const indexOf = new Map<string, number>();
  if (type === 'boolean') {
    if (constraints?.enum !== undefined) throw refuse('a boolean needs no enum');
    for (const text of json.falseValues ?? ['false', 'False', 'FALSE', '0']) indexOf.set(text, 0);
    for (const text of json.trueValues ?? ['true', 'True', 'TRUE', '1']) {
      if (indexOf.has(text)) throw refuse('a text is in both trueValues and falseValues');
      indexOf.set(text, 1);
    }
    return { ...base, domain: 'categories', type, categories: [false, true], indexOf };
  }
  const categories = (constraints?.enum ?? []).map((value) => {
    if (!isOfType(type, value)) throw refuse(`an enum value is not of type ${type}`);
    return type === 'year' ? Number(value) : (value as string | number);
  });
  if (categories.length > MAX_CATEGORIES)
    throw refuse(`more than ${MAX_CATEGORIES} categories; group the rare ones`);
  categories.forEach((value, index) => {
    const text = String(value);
    if (indexOf.has(text)) throw refuse('the enum has a value twice');
    if (base.missingValues.has(text))
      throw refuse('an enum value is also a missing value; it cannot be both');
    indexOf.set(text, index);
  });
  return { ...base, domain: 'categories', type, categories, indexOf };
}

function rangeField(json: FieldJson, type: RangeType, base: FieldBase): RangeField {
  const refuse = (message: string) => new InvalidTableSchema(json.name, message);
  const { minimum: low, maximum: high } = json.constraints ?? {};
  if (low === undefined || high === undefined)
    throw refuse(
      `type ${type} needs constraints.minimum and constraints.maximum (or an enum): bounds are public, they are never learnt from the records`,
    );
  const minimum = ordinalOf(type, low);
  const maximum = ordinalOf(type, high);
  if (minimum === undefined || maximum === undefined)
    throw refuse(`minimum and maximum must be of type ${type}`);
  if (!(minimum < maximum)) throw refuse('the minimum must be below the maximum');
  if (!Number.isFinite(maximum - minimum)) throw refuse('the bounds are too far apart');
  return { ...base, domain: 'range', type, minimum, maximum, bins: binsOf(json, type, minimum, maximum) };
}

function binsOf(json: FieldJson, type: RangeType, minimum: number, maximum: number): RangeField['bins'] {
  const refuse = (message: string) => new InvalidTableSchema(json.name, `chorale:bins ${message}`);
  const bins = json['chorale:bins'];
  if (bins === undefined) return undefined;
  if (typeof bins === 'number') {
    if (!Number.isInteger(bins) || bins < 1 || bins > MAX_BINS)
      throw refuse(`must be a whole number from 1 to ${MAX_BINS}`);
    return bins;
  }
  const edges = bins.map((edge) => ordinalOf(type, edge));
  if (edges.length < 2 || edges.length > MAX_BINS + 1) throw refuse(`needs 2 to ${MAX_BINS + 1} edges`);
  if (edges[0] !== minimum || edges.at(-1) !== maximum)
    throw refuse('must begin at the minimum and end at the maximum');
  for (let i = 1; i < edges.length; i++)
    if (!((edges[i - 1] as number) < (edges[i] as number)))
      throw refuse(`must increase and be of type ${type}`);
  return edges as number[];
}

/** The number behind a value of a range type (whole except for 'number'), or undefined when it is not of that type. */
export function ordinalOf(type: RangeType, value: string | number): number | undefined {
  switch (type) {
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
    case 'integer':
      return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
    case 'year':
      return parseCalendar('year', String(value));
    default:
      return typeof value === 'string' ? parseCalendar(type, value) : undefined;
  }
}

function isOfType(type: FieldType, value: string | number | boolean): boolean {
  if (typeof value === 'boolean' || type === 'boolean') return false;
  return type === 'string' ? typeof value === 'string' : ordinalOf(type, value) !== undefined;
}

function textsOf(values: z.infer<typeof missingValuesJson>): ReadonlySet<string> {
  return new Set(values.map((value) => (typeof value === 'string' ? value : value.value)));
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'is not valid';
  const keys =
    issue.code === 'unrecognized_keys'
      ? ` (${issue.keys.join(', ')}: Chorale cannot keep to it; leave it out)`
      : '';
  const path = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  return `${path}${issue.message}${keys}`;
}
