import type { CellFault } from '../../synthesis/table/cellText.js';
import { rangeValue } from '../../synthesis/table/codedRow.js';
import { describeConstraint } from '../../synthesis/table/constraints.js';
import type { CsvFindings } from '../../synthesis/table/csvCheck.js';
import { type Block, tableEncoding } from '../../synthesis/table/encoding.js';
import type { Field, TableSchema } from '../../synthesis/table/schema.js';
import { unconfirmedFields } from '../../synthesis/table/unconfirmed.js';
import type { Draft } from './draft.js';

/** For whoever drafted a schema from a file: what was left out, and what has to be done before it is fit for a charter. */
export function draftInWords({ schema, unconfirmed, leftOut }: Draft, source: string): string {
  const count = schema.fields.length;
  const lines = [`${count} of ${count + leftOut.length} columns of ${source} drafted.`];
  for (const { column, reason } of leftOut) lines.push(`Left out: "${column}": ${reason}.`);
  if (unconfirmed.length > 0)
    lines.push(
      '',
      `Read from the data: the bounds or categories of ${quoted(unconfirmed)}, and which columns are never missing.`,
      'They can give single records away (the oldest one, the only one of its category), and a charter publishes them.',
      'Replace each by what anybody may know (a law, a code list, the device’s range), then delete the field’s',
      '"chorale:unconfirmed". A charter refuses the schema until then; "chorale simulate" takes it, with a warning.',
    );
  lines.push(
    '',
    'Not drafted, since only people know them: chorale:label, chorale:protected, chorale:constraints (docs/table-schema.md).',
  );
  return lines.join('\n');
}

/** What a schema says: columns, cells, constraints, and what is still to be confirmed. */
export function schemaInWords(schema: TableSchema): string {
  const { blocks, width } = tableEncoding(schema);
  const lines = [`${schema.fields.length} columns, ${thousands(width)} cells by default:`];
  for (const block of blocks) lines.push(`  ${fieldInWords(block)}`);
  lines.push(
    schema.onlyTheseColumns ? 'A file may have no other columns.' : 'Other columns of a file are not read.',
  );
  if (schema.constraints.length > 0) {
    lines.push(
      `In every row (a record that breaks one is ${schema.outside === 'clamp' ? 'moved onto the nearest that keeps it' : 'refused'}):`,
    );
    schema.constraints.forEach((constraint, index) => {
      lines.push(`  #${index + 1} ${describeConstraint(constraint)}`);
    });
  }
  const unconfirmed = unconfirmedFields(schema);
  if (unconfirmed.length > 0)
    lines.push(
      `Unconfirmed, so that a charter refuses the schema: the bounds or categories of ${quoted(unconfirmed)} were read from data. ` +
        'Replace them by public knowledge, then delete "chorale:unconfirmed".',
    );
  return lines.join('\n');
}

function fieldInWords({ field, cells }: Block): string {
  const said = [
    field.domain === 'categories'
      ? `${field.categories.length} categories`
      : `${rangeValue(field, field.minimum)} to ${rangeValue(field, field.maximum)}${field.outside === 'clamp' ? ', values outside moved onto the bounds' : ''}`,
    `${cells} cells`,
    field.required ? 'never missing' : 'may be missing',
    ...(field.label ? ['the label'] : []),
    ...(field.protected ? ['protected'] : []),
    ...(field.unconfirmed ? ['unconfirmed'] : []),
  ];
  return `"${field.name}" (${field.type}): ${said.join(', ')}`;
}

/** What a file's check found; for the eyes of whoever holds the file. */
export function findingsInWords(schema: TableSchema, findings: CsvFindings, file: string): string {
  const { records, faults, broken, missing } = findings;
  const lines = [`${file}: ${thousands(records)} records. These counts are as private as the records are.`];
  for (const [name, counts] of faults)
    for (const [fault, count] of counts)
      lines.push(`  "${name}": ${FAULTS[fault]} ${of(count, records)}${treatment(schema, name, fault)}`);
  broken.forEach((count, index) => {
    if (count > 0)
      lines.push(
        `  constraint #${index + 1} is broken ${of(count, records)}, ${schema.outside === 'clamp' ? 'moved onto the nearest that keeps it' : 'refused'}`,
      );
  });
  for (const [name, count] of missing) lines.push(`  "${name}": missing ${of(count, records)}`);
  lines.push(
    isRefused(schema, findings)
      ? 'A participant would refuse this file: correct it or the schema, or start with --clamp where values are only out of bounds or break a constraint.'
      : 'A participant would take this file.',
  );
  return lines.join('\n');
}

/** Whether `readCsv` refuses the file, without --clamp. */
export function isRefused(schema: TableSchema, { faults, broken }: CsvFindings): boolean {
  const fieldNamed = new Map(schema.fields.map((field) => [field.name, field]));
  for (const [name, counts] of faults)
    for (const fault of counts.keys())
      if (fault !== 'out-of-bounds' || !clamps(fieldNamed.get(name))) return true;
  return schema.outside === 'refuse' && broken.some((count) => count > 0);
}

const FAULTS: Readonly<Record<CellFault, string>> = {
  'missing-value': 'missing although required',
  'unknown-category': 'none of the categories',
  'not-of-type': 'not of the type',
  'out-of-bounds': 'outside the bounds',
};

function treatment(schema: TableSchema, name: string, fault: CellFault): string {
  const field = schema.fields.find((candidate) => candidate.name === name);
  return fault === 'out-of-bounds' && clamps(field) ? ', moved onto them' : ', refused';
}

function clamps(field: Field | undefined): boolean {
  return field?.domain === 'range' && field.outside === 'clamp';
}

function of(count: number, records: number): string {
  return `in ${thousands(count)} of ${thousands(records)} records`;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}

function thousands(value: number): string {
  return value.toLocaleString('en-US');
}
