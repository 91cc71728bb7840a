import { z } from 'zod';
import { InvalidTableSchema } from '../errors.js';
import { fourDigits, isUtc, parseCalendar } from './calendar.js';

export const FIELD_TYPES = [
  'string',
  'integer',
  'number',
  'boolean',
  'date',
  'datetime',
  'year',
  'yearmonth',
] as const;
export type FieldType = (typeof FIELD_TYPES)[number];
export type RangeType = 'integer' | 'number' | 'date' | 'datetime' | 'year' | 'yearmonth';

/** What becomes of a value outside the public bounds: its file is refused, or it is moved onto the nearer bound. */
export type OutsidePolicy = 'refuse' | 'clamp';

export const MAX_CATEGORIES = 1024;
export const MAX_BINS = 256;

interface FieldBase {
  readonly name: string;
  /** A required field has no missing values, neither read nor generated. */
  readonly required: boolean;
  /** `chorale:label`: the column that a model trained on the table would predict. */
  readonly label: boolean;
  /** `chorale:protected`: its groups are compared with one another when a table is evaluated. */
  readonly protected: boolean;
  /** `chorale:unconfirmed`: a bound or category was read from data, and nobody has put public knowledge in its place. */
  readonly unconfirmed: boolean;
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
  /** `chorale:outside`, of the field or else of the schema. */
  readonly outside: OutsidePolicy;
  /** Of a datetime: its values end in Z, as its bounds do. False of every other type. */
  readonly utc: boolean;
}

export type Field = CategoricalField | RangeField;

export const missingValuesJson = z.array(
  z.union([z.string(), z.strictObject({ value: z.string(), label: z.string() })]),
);
export const outsideJson = z.enum(['refuse', 'clamp']);
const categoryJson = z.union([z.string(), z.number()]);
export const fieldJson = z.strictObject({
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
  categories: z
    .array(
      z.union([
        z.string(),
        z.number(),
        z.strictObject({ value: categoryJson, label: z.string().optional() }),
      ]),
    )
    .min(1)
    .optional(),
  categoriesOrdered: z.boolean().optional(),
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
  'chorale:protected': z.boolean().optional(),
  'chorale:unconfirmed': z.boolean().optional(),
  'chorale:outside': outsideJson.optional(),
});
export type FieldJson = z.infer<typeof fieldJson>;

/** What a schema says for those of its fields that say nothing themselves. */
export interface FieldDefaults {
  readonly missingValues: ReadonlySet<string>;
  readonly outside: OutsidePolicy;
}

/** @throws InvalidTableSchema naming the field, what is wrong, and what to write instead. */
export function parseField(json: FieldJson, defaults: FieldDefaults): Field {
  const base: FieldBase = {
    name: json.name,
    required: json.constraints?.required ?? false,
    label: json['chorale:label'] ?? false,
    protected: json['chorale:protected'] ?? false,
    unconfirmed: json['chorale:unconfirmed'] ?? false,
    missingValues: json.missingValues === undefined ? defaults.missingValues : textsOf(json.missingValues),
  };
  if ((json.trueValues ?? json.falseValues) !== undefined && json.type !== 'boolean')
    throw new InvalidTableSchema(json.name, 'trueValues and falseValues belong to booleans only');
  if (json.type === 'boolean' || listedValues(json) !== undefined) return categoricalField(json, base);
  if (json.type === 'string')
    throw new InvalidTableSchema(
      json.name,
      'a string field needs categories or constraints.enum: its categories are public, they are never learnt from the records',
    );
  return rangeField(json, json.type, base, defaults.outside);
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
  if (json['chorale:outside'] !== undefined)
    throw refuse(
      'chorale:outside is for fields with a minimum and a maximum: no category is near enough to another to stand for it',
    );
  const indexOf = new Map<string, number>();
  if (type === 'boolean') {
    if (listedValues(json) !== undefined) throw refuse('a boolean needs no enum and no categories');
    for (const text of json.falseValues ?? ['false', 'False', 'FALSE', '0']) indexOf.set(text, 0);
    for (const text of json.trueValues ?? ['true', 'True', 'TRUE', '1']) {
      if (indexOf.has(text)) throw refuse('a text is in both trueValues and falseValues');
      indexOf.set(text, 1);
    }
    return { ...base, domain: 'categories', type, categories: [false, true], indexOf };
  }
  const categories = (listedValues(json) ?? []).map((value) => {
    if (!isOfType(type, value)) throw refuse(`an enum value is not of type ${type}`);
    return type === 'year' ? Number(value) : (value as string | number);
  });
  if (categories.length > MAX_CATEGORIES)
    throw refuse(`more than ${MAX_CATEGORIES} categories; group the rare ones`);
  categories.forEach((value, index) => {
    const text = type === 'year' ? fourDigits(value as number) : String(value);
    if (indexOf.has(text)) throw refuse('the enum has a value twice');
    if (base.missingValues.has(text))
      throw refuse('an enum value is also a missing value; it cannot be both');
    indexOf.set(text, index);
  });
  return { ...base, domain: 'categories', type, categories, indexOf };
}

/** `categories` (of strings and integers, Data Package v2) or `constraints.enum`: what a file may hold, without labels. */
function listedValues(json: FieldJson): readonly (string | number | boolean)[] | undefined {
  const { categories, constraints } = json;
  if (categories === undefined) {
    if (json.categoriesOrdered !== undefined)
      throw new InvalidTableSchema(json.name, 'categoriesOrdered belongs to categories; leave it out');
    return constraints?.enum;
  }
  if (constraints?.enum !== undefined)
    throw new InvalidTableSchema(json.name, 'has categories and constraints.enum; list the values once');
  if (json.type !== 'string' && json.type !== 'integer')
    throw new InvalidTableSchema(
      json.name,
      'categories belong to strings and integers; list the values in constraints.enum',
    );
  return categories.map((category) => (typeof category === 'object' ? category.value : category));
}

function rangeField(json: FieldJson, type: RangeType, base: FieldBase, outside: OutsidePolicy): RangeField {
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
  const utc = type === 'datetime' && isUtc(String(low));
  if (utc !== (type === 'datetime' && isUtc(String(high))))
    throw refuse(
      'both bounds must end in Z (UTC), or neither (local time): the values are written as they are',
    );
  const bins = binsOf(json, type, minimum, maximum);
  const policy = json['chorale:outside'] ?? outside;
  return { ...base, domain: 'range', type, minimum, maximum, bins, outside: policy, utc };
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
      return parseCalendar('year', typeof value === 'number' ? fourDigits(value) : value);
    default:
      return typeof value === 'string' ? parseCalendar(type, value) : undefined;
  }
}

function isOfType(type: FieldType, value: string | number | boolean): boolean {
  if (typeof value === 'boolean' || type === 'boolean') return false;
  return type === 'string' ? typeof value === 'string' : ordinalOf(type, value) !== undefined;
}

export function textsOf(values: z.infer<typeof missingValuesJson>): ReadonlySet<string> {
  return new Set(values.map((value) => (typeof value === 'string' ? value : value.value)));
}
