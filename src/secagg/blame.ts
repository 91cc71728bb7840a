import { equalBytes } from '@noble/ciphers/utils.js';
import { z } from 'zod';
import { verifyInclusion } from '../crypto/merkle.js';
import type { Primitives } from '../crypto/primitives.js';
import { givesAdvertised, readAdvert } from './adverts.js';
import {
  assertBlockConfig,
  assertCovered,
  type BlockConfig,
  blockDigest,
  type CharterFloors,
  identityKeys,
} from './block.js';
import { commitmentAt, shareOf } from './dealing.js';
import { evidenceShape } from './evidenceShape.js';
import { abscissa, shareholders } from './graph.js';
import { type SecretKind, scalarBytes, shareCommitment } from './keys.js';
import { decodeDealtPart, decodeUnmasking, type Unmasking } from './messages.js';
import { SecaggRefusal } from './refusal.js';
import { assertRoundContext, type RoundContext, roundTranscript } from './round.js';
import { setUpGraph } from './setUp.js';
import { interpolate, lagrangeWeights, type Share, scalarField } from './shamir.js';
import type { RelayedPart } from './shareBundle.js';
import { verifyDigest, verifySigned } from './signing.js';
import { type DealtRoot, dealtTranscript } from './transcript.js';
import { MalformedMessage } from './wire.js';

/**
 * A proof that one member lied, checkable by anyone who has the charter: signed adverts, the dealer's signed
 * commitments, signed openings. Plain data; it opens nothing that the round did not open.
 *
 * - `wrong-opening`: a responder signed an opening that is not what the dealer committed to, or not canonical. An
 *   honest member cannot be framed: it opens only what matched on arrival, and the dealer's root is in the transcript
 *   that it signed, so a dealer cannot show another commitment later.
 * - `wrong-dealing`: openings that all match the dealer's commitments lie on no polynomial of degree < t, or their
 *   polynomial does not give what the dealer advertised.
 */
export interface Evidence {
  readonly lie: 'wrong-opening' | 'wrong-dealing';
  /** Roster index of the member whose secret it is about. */
  readonly dealer: number;
  readonly config: BlockConfig;
  /** As signed, in roster order. */
  readonly adverts: readonly Uint8Array[];
  /** Of U₁, ascending. */
  readonly roots: readonly DealtRoot[];
  readonly context: RoundContext;
  /** Of the dealer's ShareKeys, over its root. */
  readonly dealerSignature: Uint8Array;
  readonly openings: readonly {
    readonly part: RelayedPart;
    /** The responder's signed Unmasking. */
    readonly answer: Uint8Array;
  }[];
}

export type EvidenceFault =
  | 'Malformed'
  | 'NotCovered'
  | 'BadSignature'
  | 'NotCommitted'
  | 'TooFewOpenings'
  | 'NoLie';

/** The evidence proves nothing: why. */
export class EvidenceRejected extends Error {
  override readonly name = 'EvidenceRejected';
  constructor(
    readonly code: EvidenceFault,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Gives the member that lied, or throws EvidenceRejected. Believes nothing but signatures and hashes. */
export function verifyEvidence(
  primitives: Primitives,
  floors: CharterFloors,
  untrusted: Evidence,
): { readonly accused: string; readonly lie: Evidence['lie'] } {
  const shaped = evidenceShape.safeParse(untrusted);
  if (!shaped.success)
    throw new EvidenceRejected('Malformed', `not evidence: ${z.prettifyError(shaped.error)}`);
  const evidence = shaped.data;
  try {
    const accused = judge(primitives, floors, evidence);
    return { accused: evidence.config.members[accused]!.id, lie: evidence.lie };
  } catch (cause) {
    if (cause instanceof MalformedMessage)
      throw new EvidenceRejected('Malformed', `a message of the evidence: ${cause.message}`, { cause });
    if (cause instanceof SecaggRefusal)
      throw new EvidenceRejected('NotCovered', `the charter does not cover it: ${cause.message}`, { cause });
    throw cause;
  }
}

function judge(primitives: Primitives, floors: CharterFloors, evidence: Evidence): number {
  const { config, context, roots, dealer, lie } = evidence;
  assertBlockConfig(config);
  assertCovered(config, floors);
  const expected = assertRoundContext(config, context);
  const digest = blockDigest(primitives, config);
  const adverts: (Uint8Array | null)[] = config.members.map(() => null);
  const senders = evidence.adverts.map((bytes) => {
    const advert = readAdvert(primitives, { config, digest }, bytes);
    if (typeof advert === 'string') throw new EvidenceRejected('BadSignature', `an advert: ${advert}`);
    adverts[advert.sender] = bytes;
    return advert.sender;
  });
  assertAscending('adverts', senders);
  assertAscending(
    'roots',
    roots.map(({ member }) => member),
  );
  const { graph, setup } = setUpGraph(primitives, { config, digest }, adverts);
  const root = roots.find(({ member }) => member === dealer)?.root;
  const advert = adverts[dealer];
  if (root === undefined || advert == null)
    throw new EvidenceRejected('NotCommitted', 'the dealer has no advert or dealt no shares in this block');
  const identities = identityKeys(config);
  if (!verifyDigest(primitives, identities[dealer]!, 'ShareKeys', setup, root, evidence.dealerSignature))
    throw new EvidenceRejected('BadSignature', 'the dealer did not sign these commitments');

  const transcript = roundTranscript(
    primitives,
    dealtTranscript(primitives, setup, roots),
    context,
    expected,
  );
  const holders = shareholders(graph, dealer);
  const seen = new Set<number>();
  let kind: SecretKind | undefined;
  const shares: Share[] = [];
  for (const { part, answer } of evidence.openings) {
    const message = decodeUnmasking(answer);
    const responder = message.sender;
    if (seen.has(responder) || !holders.includes(responder))
      throw new EvidenceRejected('NotCommitted', 'an opening twice, or of a member that holds no share');
    seen.add(responder);
    const identity = identities[responder]!;
    if (verifySigned(primitives, identity, 'Unmasking', transcript, message) === undefined)
      throw new EvidenceRejected('BadSignature', 'an opening is not signed by its responder for this round');
    const given = openingOf(message, dealer, context);
    if (kind !== undefined && given.kind !== kind)
      throw new EvidenceRejected('NotCommitted', 'openings of both secrets of the dealer');
    kind = given.kind;
    const at = holders.indexOf(responder);
    if (!verifyInclusion(primitives.sha256, root, part.part, at, holders.length, part.path))
      throw new EvidenceRejected('NotCommitted', 'a commitment is not under the dealer’s signed root');
    const { commitments } = decodeDealtPart(part.part, config.slots);
    const { slot } = context;
    const commitment = shareCommitment(primitives, setup, dealer, responder, slot, given.kind, given.opening);
    const matches = equalBytes(commitment, commitmentAt(commitments, slot, given.kind));
    const y = shareOf(given.opening);
    if (lie === 'wrong-opening') {
      // A member takes no share on arrival that is not canonical, so it can't open one, whatever its dealer signed.
      if (matches && y !== undefined)
        throw new EvidenceRejected('NoLie', 'the opening is what the dealer committed to');
      return responder;
    }
    if (!matches || y === undefined)
      throw new EvidenceRejected('NotCommitted', 'an opening does not match: it says nothing of the dealer');
    shares.push({ x: abscissa(responder), y });
  }
  if (shares.length < graph.threshold || kind === undefined)
    throw new EvidenceRejected(
      'TooFewOpenings',
      `${shares.length} openings, ${graph.threshold} are needed to judge a dealer`,
    );
  const first = shares.slice(0, graph.threshold);
  const at = (x: number) =>
    interpolate(
      scalarField,
      lagrangeWeights(
        scalarField,
        first.map((share) => share.x),
        x,
      ),
      first.map((share) => share.y),
    );
  const consistent = shares.slice(graph.threshold).every(({ x, y }) => at(x) === y);
  if (consistent && givesAdvertised(primitives, digest, advert, context.slot, kind, scalarBytes(at(0))))
    throw new EvidenceRejected('NoLie', 'the openings give what the dealer advertised');
  return dealer;
}

function assertAscending(name: string, members: readonly number[]): void {
  if (members.some((member, i) => i > 0 && member <= members[i - 1]!))
    throw new EvidenceRejected('Malformed', `${name} must ascend by member, each once`);
}

function openingOf(
  { slot, answers }: Unmasking,
  dealer: number,
  context: RoundContext,
): { readonly kind: SecretKind; readonly opening: Uint8Array } {
  const given = answers.find(({ member }) => member === dealer);
  if (slot !== context.slot || given === undefined || given.kind === 'none')
    throw new EvidenceRejected('NotCommitted', 'an answer opens nothing of this dealer');
  return { kind: given.kind, opening: given.opening };
}
