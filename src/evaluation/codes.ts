import { type CategoricalField, type Field, ordinalOf, type RangeField } from '../synthesis/table/schema.js';

/**
 * The number behind a table value: a category's index, or a number or date as its ordinal; NaN for a missing value; undefined
 * where the schema does not allow the value.
 */
export function codeOf(field: Field): (value: unknown) => number | undefined {
  const present = field.domain === 'categories' ? codeOfCategory(field) : codeOfOrdinal(field);
  const missing = field.required ? undefined : Number.NaN;
  return (value) => (value === null ? missing : present(value));
}

function codeOfCategory({ categories, type }: CategoricalField): (value: unknown) => number | undefined {
  const codes = new Map<unknown, number>(categories.map((category, index) => [category, index]));
  // A number's text is another value than the number, except for years, which files write as text.
  return (value) => codes.get(type === 'year' && typeof value === 'string' ? Number(value) : value);
}

function codeOfOrdinal({ type, minimum, maximum }: RangeField): (value: unknown) => number | undefined {
  return (value) => {
    if (typeof value !== 'number' && typeof value !== 'string') return undefined;
    const ordinal = ordinalOf(type, value);
    return ordinal === undefined || ordinal < minimum || ordinal > maximum ? undefined : ordinal;
  };
}
