import { MAX_ORDER } from './accountants/orders.js';
import { PrivacyError } from './errors.js';

/**
 * The order at which a limit counts Gaussian DP (accountants/gaussianOrder.ts). Divergences of order 1, which add like
 * the others, say how Gaussian each sum was; what converts their total to ε is the Gaussian's own curve, no Rényi bound.
 */
export const GAUSSIAN_ORDER = 1;

/** Throws `argument-invalid` unless there are orders, each 1 (Gaussian DP) or an integer from 2 to 4096 (Rényi). */
export function checkFilterOrders(orders: readonly number[]): void {
  if (orders.length === 0) throw new PrivacyError('argument-invalid', 'a limit needs at least one order');
  for (const order of orders) {
    if (!(Number.isInteger(order) && order >= GAUSSIAN_ORDER && order <= MAX_ORDER)) {
      throw new PrivacyError(
        'argument-invalid',
        `the orders of a limit are integers from 2 to ${MAX_ORDER} (Rényi), or 1 (Gaussian DP), got ${order}`,
      );
    }
  }
}

/** In words: "Rényi order 8", "Gaussian DP (order 1) and Rényi orders 4, 8". */
export function describeOrders(orders: readonly number[]): string {
  const renyi = orders.filter((order) => order !== GAUSSIAN_ORDER);
  return [
    ...(renyi.length < orders.length ? [`Gaussian DP (order ${GAUSSIAN_ORDER})`] : []),
    ...(renyi.length > 0 ? [`Rényi order${renyi.length === 1 ? '' : 's'} ${renyi.join(', ')}`] : []),
  ].join(' and ');
}
