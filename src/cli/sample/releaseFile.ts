import { readFileSync, writeFileSync } from 'node:fs';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { z } from 'zod';
import type { Release } from '../../../clients/application/index.js';
import { canonicalJson, type Json } from '../../crypto/canonical.js';
import { charterDigest, parseCharter, readCharter, synthesisContext } from '../../federation/charter.js';
import type { Published } from '../../synthesis/sampling.js';
import { CliError, EXIT, readJsonFile } from '../exits.js';

/**
 * A release as a file: a line of JSON that says what it is of, then the bytes whose SHA-256 the line names. Everything in it is public.
 * The charter, whose schema the rows follow, is a file of its own: whoever has it has it from the members.
 */
const headerJson = z.strictObject({
  chorale: z.literal('release/1'),
  run: z.string(),
  synthesizer: z.string(),
  options: z.json(),
  charter: z.string(),
  release: z.string(),
});

export function writeRelease(
  file: string,
  { run, synthesizer, options, charter, digest, bytes }: Release,
): void {
  const header = canonicalJson({
    ...{ chorale: 'release/1', run, synthesizer },
    ...{ options: options as Json, charter: charter.digest, release: digest },
  });
  writeFileSync(file, Buffer.concat([Buffer.from(`${header}\n`), bytes]));
  writeFileSync(charterFileOf(file), charter.body);
}

export function charterFileOf(file: string): string {
  return `${file}.charter.json`;
}

/** Of a release that was just fetched. */
export function publishedFrom({ charter, synthesizer, options, bytes }: Release): Published {
  const context = synthesisContext(readCharter(charter.body));
  return { context, kind: synthesizer, options, release: bytes };
}

/** @throws CliError where the file is no release, was changed, or is of another charter. */
export function readRelease(file: string, charterFile: string): Published & { readonly run: string } {
  const refuse = (message: string) => new CliError(`${file} ${message}.`, EXIT.refused, 'InvalidInput');
  const content = readFileSync(file);
  const end = content.indexOf(0x0a);
  const header = headerOf(content.subarray(0, Math.max(0, end)));
  if (header === undefined) throw refuse('is no release file; `chorale sample <run> --download` writes one');
  const release = Uint8Array.from(content.subarray(end + 1));
  if (bytesToHex(sha256(release)) !== header.release)
    throw refuse('was cut short or changed: its bytes are not those of its digest');
  const charter = parseCharter(readJsonFile(charterFile));
  if (charterDigest(charter) !== header.charter)
    throw refuse(`belongs to the charter ${header.charter}, and ${charterFile} is another`);
  return {
    run: header.run,
    context: synthesisContext(charter),
    kind: header.synthesizer,
    options: header.options,
    release,
  };
}

function headerOf(bytes: Uint8Array): z.infer<typeof headerJson> | undefined {
  try {
    return headerJson.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch {
    return undefined;
  }
}
