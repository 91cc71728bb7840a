import type { Json } from '../../crypto/canonical.js';
import type { TableSchema } from './schema.js';

const MARK = 'chorale:unconfirmed';

/** Names of the fields with a bound or category that was read from data (`chorale:unconfirmed`). */
export function unconfirmedFields(schema: TableSchema): readonly string[] {
  return schema.fields.filter(({ unconfirmed }) => unconfirmed).map(({ name }) => name);
}

/** A schema's JSON with the marks taken away: for a trial on one's own machine, whose charter nobody signs. */
export function withoutMarks(json: Json): Json {
  if (Array.isArray(json)) return json.map(withoutMarks);
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(
    Object.entries(json)
      .filter(([key]) => key !== MARK)
      .map(([key, value]) => [key, withoutMarks(value as Json)]),
  );
}
