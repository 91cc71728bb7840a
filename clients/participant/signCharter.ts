import { join } from 'node:path';
import { bytesToHex } from '@noble/hashes/utils.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { systemRng } from '../../src/crypto/rng.js';
import { type Charter, charterDigest, charterStatement, readCharter } from '../../src/federation/charter.js';
import { createCoordinatorClient } from './coordinatorClient.js';
import { ParticipantError } from './errors.js';
import { pinCharter, readEnrolment, readIdentity, SPENDING_FILE } from './home.js';
import { ordersUnder, readSpendingRecord } from './spendingRecord.js';

/**
 * Fetches the charter with the digest that a person gave, checks that it is what the digest says and that this
 * participant is a member as it enrolled, and that its own spending record can go on under it, and writes pin and signature
 * down. Nothing is sent: "participant start" does that.
 */
export async function signPinnedCharter(
  dir: string,
  digest: string,
): Promise<{ readonly charter: Charter; readonly digest: string }> {
  const identity = readIdentity(dir, nodePrimitives);
  const enrolment = readEnrolment(dir);
  if (!/^[0-9a-f]{64}$/.test(digest))
    throw new ParticipantError('CharterRefused', 'A charter’s digest has 64 hex digits.');
  const client = createCoordinatorClient({
    url: enrolment.coordinator,
    identity,
    rng: systemRng(),
    now: Date.now,
  });
  const announced = await client.charter(digest);
  if (announced === undefined)
    throw new ParticipantError(
      'CharterMismatch',
      `The coordinator has no charter with the digest ${digest.slice(0, 12)}….`,
    );
  const charter = readCharter(announced.body);
  if (charterDigest(charter) !== digest)
    throw new ParticipantError(
      'CharterMismatch',
      'The charter that the coordinator sent is not the one that the digest names. Do not sign; tell the other members.',
    );
  assertMember(charter, identity.publicKey, enrolment);
  ordersUnder(readSpendingRecord(join(dir, SPENDING_FILE)), charter.privacy.orders);
  const signature = bytesToHex(nodePrimitives.ed25519Sign(identity.seed, charterStatement(digest)));
  pinCharter(dir, { digest, body: announced.body, signature });
  return { charter, digest };
}

/** The participant's entry in the roster; throws CharterRefused if the charter has it otherwise than it enrolled. */
export function assertMember(
  charter: Charter,
  publicKey: string,
  enrolment: { readonly federation: string; readonly name: string; readonly declaredRecords: number },
): Charter['members'][number] {
  const member = charter.members.find((m) => m.publicKey === publicKey);
  if (charter.federation !== enrolment.federation)
    throw new ParticipantError(
      'CharterRefused',
      `The charter is for "${charter.federation}", but this participant enrolled in "${enrolment.federation}".`,
    );
  if (member === undefined)
    throw new ParticipantError('CharterRefused', 'This participant’s key is not in the charter’s roster.');
  if (member.name !== enrolment.name || member.declaredRecords !== enrolment.declaredRecords)
    throw new ParticipantError(
      'CharterRefused',
      'The charter has another name or record count for this participant than it declared.',
    );
  return member;
}
