import { PrivacyError } from '../errors.js';

/** The integers among the field's standard orders: of Rényi orders the filter takes no others. */
export const INTEGER_ORDERS: readonly number[] = Object.freeze([
  ...Array.from({ length: 62 }, (_, i) => i + 2),
  128,
  256,
  512,
  1024,
]);

/** The field's standard orders: 1.1, 1.2, …, 10.9, 11, 12, …, 63, 128, 256, 512, 1024. */
export const STANDARD_ORDERS: readonly number[] = Object.freeze([
  ...Array.from({ length: 99 }, (_, i) => (i + 11) / 10),
  ...INTEGER_ORDERS.filter((order) => order > 10),
]);

/** Nearer to 1 the conversion to ε has nothing to give: its last term is divided by α − 1. */
export const MIN_ORDER = 1.01;
/** Bounds the work of one binomial sum. */
export const MAX_ORDER = 4096;

/** Throws `argument-invalid` unless there are orders, each a number from 1.01 to 4096. */
export function checkOrders(orders: readonly number[]): void {
  if (orders.length === 0) throw new PrivacyError('argument-invalid', 'at least one Rényi order is needed');
  for (const order of orders) {
    if (!(order >= MIN_ORDER && order <= MAX_ORDER)) {
      throw new PrivacyError(
        'argument-invalid',
        `Rényi orders are numbers from ${MIN_ORDER} to ${MAX_ORDER}, got ${order}`,
      );
    }
  }
}
