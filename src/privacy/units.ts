import { PrivacyError } from './errors.js';

/**
 * The ledger's money: Rényi divergences as integers in units of 2^-40, rounded up when charged and down when granted.
 * Integers add exactly in any order, so replicas, replays and SQL agree to the last unit (hazard P15).
 */
export const UNITS_PER_NAT = 2 ** 40;

/** A divergence of ∞ (or above 2^80 nats): it stays above every limit whatever is added or taken back. */
export const INFINITE_UNITS = 2n ** 128n;

const SMALLEST_NORMAL = 2 ** -1022;
const DECIMAL = /^(0|[1-9][0-9]{0,59})$/;

/**
 * Rounded up: any positive divergence costs at least one unit. Infinity becomes INFINITE_UNITS. Throws `cost-invalid` for NaN,
 * negative or subnormal numbers and for what is no number at all.
 */
export function unitsOfRdp(values: ArrayLike<number>): bigint[] {
  return Array.from(values, (value) => {
    if (typeof value !== 'number' || !(value >= 0) || (value > 0 && value < SMALLEST_NORMAL)) {
      throw new PrivacyError(
        'cost-invalid',
        `a cost is 0, a normal positive number or Infinity, got ${String(value)}`,
      );
    }
    // Scaling by a power of two is exact, and so is ceil.
    return value > 2 ** 80 ? INFINITE_UNITS : BigInt(Math.ceil(value * UNITS_PER_NAT));
  });
}

/** Rounded up, so that ε computed from units is never too small. */
export function rdpOfUnits(units: bigint): number {
  if (units >= INFINITE_UNITS) return Number.POSITIVE_INFINITY;
  return (Number(units) / UNITS_PER_NAT) * (1 + 2 ** -51);
}

/** Decimal strings, as the ledger stores and publishes them. */
export function serializeUnits(units: readonly bigint[]): string[] {
  return units.map((unit) => unit.toString());
}

/** Throws `cost-invalid` unless every entry is a canonical non-negative decimal of at most 60 digits. */
export function parseUnits(values: readonly string[]): bigint[] {
  return values.map((value) => {
    if (typeof value !== 'string' || !DECIMAL.test(value)) {
      throw new PrivacyError('cost-invalid', 'units are non-negative decimal integers without leading zeros');
    }
    return BigInt(value);
  });
}

/** Order by order. Throws `cost-invalid` for different lengths or a negative entry. */
export function addUnits(a: readonly bigint[], b: readonly bigint[]): bigint[] {
  checkUnits(a, b.length);
  checkUnits(b, a.length);
  return a.map((value, i) => value + (b[i] as bigint));
}

export function checkUnits(units: readonly bigint[], length: number): void {
  if (units.length !== length) {
    throw new PrivacyError('cost-invalid', `${length} costs are needed, one an order, got ${units.length}`);
  }
  for (const unit of units) {
    if (typeof unit !== 'bigint' || unit < 0n)
      throw new PrivacyError('cost-invalid', 'a cost is never negative');
  }
}
