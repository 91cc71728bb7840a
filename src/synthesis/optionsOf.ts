import type { z } from 'zod';
import { InvalidOptions } from './errors.js';

/**
 * The options of a run, defaults filled in; `kind` is named where no single option is at fault.
 * @throws InvalidOptions
 */
export function optionsOf<T>(schema: z.ZodType<T>, kind: string, input: unknown): T {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const keys = issue?.code === 'unrecognized_keys' ? `: ${issue.keys.join(', ')}` : '';
  throw new InvalidOptions(issue?.path.join('.') || kind, `${issue?.message ?? 'not valid'}${keys}`);
}
