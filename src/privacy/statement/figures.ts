/** Digits of a figure in prose. */
const DIGITS = 5;

/** Shortest text that reads back as the same number. */
export function figure(value: number): string {
  return value === Number.POSITIVE_INFINITY ? '∞' : String(value);
}

/** So many significant digits, never below `value`: an upper bound stays one in print. */
export function roundedUp(value: number, digits = DIGITS): string {
  return outward(value, digits, 1);
}

/** So many significant digits, never above `value`. */
export function roundedDown(value: number, digits = DIGITS): string {
  return outward(value, digits, -1);
}

function outward(value: number, digits: number, direction: 1 | -1): string {
  if (value === 0 || !Number.isFinite(value)) return figure(value);
  const nearest = Number(value.toPrecision(digits));
  if (direction * (nearest - value) >= 0) return figure(nearest);
  const step = 10 ** (Math.floor(Math.log10(Math.abs(value))) - digits + 1);
  // The nearest was on the wrong side by at most half a step, so one step reaches the right one.
  return figure(Number((nearest + direction * step).toPrecision(digits)));
}

/** "1 record", "2,000 records". */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
