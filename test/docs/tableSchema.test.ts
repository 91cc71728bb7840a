import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { constraintJson } from '../../src/synthesis/table/constraintsJson.js';
import { FIELD_TYPES, fieldJson } from '../../src/synthesis/table/field.js';
import { parseTableSchema, schemaJson } from '../../src/synthesis/table/schema.js';

const page = readFileSync(new URL('../../docs/table-schema.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => text as string);
/** A block is a schema, or one field of it. */
const asSchema = (text: string): object => {
  const json = JSON.parse(text) as object;
  return 'fields' in json ? json : { fields: [json] };
};

describe('docs/table-schema.md', () => {
  it.each(blocks.map((text) => [text.replace(/\s+/g, ' ').slice(0, 60), text]))('parses: %s', (_, text) => {
    expect(parseTableSchema(asSchema(text)).fields.length).toBeGreaterThan(0);
  });

  it('has an example of every property, every type and every constraint, and a property made up is refused', () => {
    const written = blocks.join('\n');
    const properties = [
      ...Object.keys(schemaJson.shape),
      ...Object.keys(fieldJson.shape),
      ...Object.keys(fieldJson.shape.constraints.unwrap().shape),
      ...constraintJson.options.flatMap((option) => Object.keys(option.shape)),
    ];
    expect(properties.length).toBeGreaterThan(25);
    expect(properties.filter((property) => !written.includes(`"${property}":`))).toEqual([]);
    expect(FIELD_TYPES.filter((type) => !written.includes(`"type": "${type}"`))).toEqual([]);
    const constraints = constraintJson.options.map(({ shape }) => shape.type.value);
    expect(constraints.filter((type) => !written.includes(`"type": "${type}"`))).toEqual([]);
    const [first] = blocks as [string];
    expect(() => parseTableSchema({ ...asSchema(first), 'chorale:madeUp': 1 })).toThrow(/madeUp/);
  });
});
