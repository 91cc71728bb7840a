import { leastRareCounts, log2Tail } from './hypergeometric.js';

/**
 * Degree and threshold of a Harary graph over a random permutation (Bell et al. 2020, sections 3 and 4), from what a
 * cohort must withstand. A pure function of small integers, in exact arithmetic: all members compute it alike.
 */
export interface HararyPlan {
  /** k: k/2 ring neighbours on either side. Even, below the number of members. */
  readonly shareholders: number;
  /** t of them reconstruct, and t of their signatures are counted before one answers. */
  readonly threshold: number;
  /** Alive members that any two disjoint windows of k/2 ring places must have together (`survivesCut`). */
  readonly cutFloor: number;
}

export interface PlanSecurity {
  /** A round that nobody attacks fails with a probability below 2^failureLog2, for each of two reasons. */
  readonly failureLog2: number;
  /** A permutation that exposes somebody is found with a probability of at most 2^securityLog2, for each of two events. */
  readonly securityLog2: number;
  /** Whoever speaks last, or chooses which adverts are relayed, may try 2^this permutations (DESIGN §4). */
  readonly permutationTriesLog2: number;
}

export const PLAN_SECURITY: PlanSecurity = { failureLog2: -20, securityLog2: -40, permutationTriesLog2: 64 };

export interface HararyNeeds {
  /** n, those who advertised. */
  readonly members: number;
  /** Members that may conspire with the coordinator. */
  readonly maxColluders: number;
  /** Members that may be lost, by chance, and the round is still to succeed: n − minSurvivors. */
  readonly dropouts: number;
  readonly security?: PlanSecurity;
}

const plans = new Map<string, HararyPlan | undefined>();
/** The keys are what others send: more than these are forgotten and computed again. */
const MAX_PLANS = 1024;

/**
 * The smallest even k < n that meets four bounds; undefined when there is none. C, D = colluders, drop-outs,
 * Hyp(N, M, k) = the marked among k draws of N of which M are marked.
 *
 * A member's k neighbours are a uniform k-set of the n − 1 others. Union bound over n members:
 *  - exposure: n · Pr[Hyp(n−1, C, k) ≥ 2t − k] ≤ 2^(securityLog2 − tries). With c colluders among its neighbours a
 *    member is safe as long as 2t > k + c: a lying server needs t signatures for each of two survivor sets, and only
 *    colluders sign twice (Bonawitz et al. 2017, 6.2, on Bell's neighbourhoods). It includes c < t.
 *  - lack of shares: n · Pr[Hyp(n−1, D, k) > k − t] < 2^failureLog2: fewer than t neighbours are left.
 * Two disjoint windows of k/2 ring places are a uniform k-set of the n. Union bound over fewer than n²/2 pairs:
 *  - split: n²/2 · Pr[Hyp(n, C, k) ≥ cutFloor] ≤ 2^(securityLog2 − tries), cutFloor the least such number. With
 *    `survivesCut` it keeps the honest survivors connected whoever is declared dropped; Bell's own event, that drop-outs
 *    by chance disconnect them, is part of it.
 *  - cut refused: n²/2 · Pr[Hyp(n, D, k) > k − cutFloor] < 2^failureLog2: honest losses that `survivesCut` would refuse.
 *
 * These reproduce the degrees and thresholds published for 100, 300 and 1000 members ("33 %" is a third). With k + 2
 * the room between the least and the greatest t grows by one at most, so that at the smallest k there is one t; only
 * where the cut asks for a larger k than the shares there may be two: the lower one, which bears more losses.
 *
 * @throws RangeError for numbers that are not natural, more than 4096 members, or bounds that are not below 1/2.
 */
export function hararyPlan(needs: HararyNeeds): HararyPlan | undefined {
  const { members, maxColluders, dropouts, security = PLAN_SECURITY } = needs;
  const { failureLog2, securityLog2, permutationTriesLog2 } = security;
  const failureBits = -failureLog2;
  const securityBits = permutationTriesLog2 - securityLog2;
  const numbers = [members, maxColluders, dropouts, permutationTriesLog2];
  if (numbers.some((value) => !Number.isSafeInteger(value) || value < 0) || members > 4096)
    throw new RangeError(
      'a cohort plan needs whole numbers of members (at most 4096), colluders, drop-outs, tries',
    );
  if ([failureBits, -securityLog2].some((bits) => !Number.isSafeInteger(bits) || bits < 1))
    throw new RangeError('a cohort plan needs failureLog2 and securityLog2 of -1 or less');
  const key = [members, maxColluders, dropouts, failureBits, securityBits].join();
  if (plans.size >= MAX_PLANS) plans.clear();
  if (!plans.has(key)) plans.set(key, search(members, maxColluders, dropouts, failureBits, securityBits));
  return plans.get(key);
}

function search(
  members: number,
  colluders: number,
  dropouts: number,
  failureBits: number,
  securityBits: number,
): HararyPlan | undefined {
  // With one honest member, or one survivor, there is no sum to hide in.
  if (Math.max(colluders, dropouts) > members - 2) return undefined;
  const n = BigInt(members);
  const others = members - 1;
  const exposing = leastRareCounts({
    population: others,
    marked: colluders,
    weight: n << BigInt(securityBits),
    bound: 'at most',
  });
  const lost = leastRareCounts({
    population: others,
    marked: dropouts,
    weight: n << BigInt(failureBits),
    bound: 'below',
  });
  // n²/2: the half is the shift by one less.
  const splitting = leastRareCounts({
    population: members,
    marked: colluders,
    weight: (n * n) << BigInt(securityBits - 1),
    bound: 'at most',
  });
  const lostFromCut = leastRareCounts({
    population: members,
    marked: dropouts,
    weight: (n * n) << BigInt(failureBits - 1),
    bound: 'below',
  });
  for (let k = 2; k < members; k += 2) {
    const leastThreshold = Math.ceil((k + exposing[k]!) / 2);
    const mostThreshold = k + 1 - lost[k]!;
    const cutFloor = splitting[k]!;
    if (leastThreshold > mostThreshold || cutFloor > k + 1 - lostFromCut[k]!) continue;
    return Object.freeze({ shareholders: k, threshold: leastThreshold, cutFloor });
  }
  return undefined;
}

/** log2 of the four union bounds, for one permutation or one round; −∞ where it cannot happen. To read, not to decide. */
export interface HararyRisks {
  readonly exposureLog2: number;
  readonly splitLog2: number;
  readonly lackOfSharesLog2: number;
  readonly cutRefusedLog2: number;
}

export function hararyRisks(needs: HararyNeeds, plan: HararyPlan): HararyRisks {
  const { members, maxColluders, dropouts } = needs;
  const { shareholders: k, threshold, cutFloor } = plan;
  const overMembers = Math.log2(members);
  const overPairs = 2 * overMembers - 1;
  return {
    exposureLog2: overMembers + log2Tail(members - 1, maxColluders, k, 2 * threshold - k),
    splitLog2: overPairs + log2Tail(members, maxColluders, k, cutFloor),
    lackOfSharesLog2: overMembers + log2Tail(members - 1, dropouts, k, k - threshold + 1),
    cutRefusedLog2: overPairs + log2Tail(members, dropouts, k, k - cutFloor + 1),
  };
}
