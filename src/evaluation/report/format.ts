const INTEGER = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });
const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

export const count = (value: number): string => INTEGER.format(value);

/** "1 row", "2 rows". */
export const counted = (value: number, noun: string): string =>
  `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** Rounded up: a page must never state less than was spent. ∞ where no bound holds. */
export function epsilon(value: number | null): string {
  return value === null || !Number.isFinite(value) ? '∞' : (Math.ceil(value * 100 - 1e-9) / 100).toFixed(2);
}

/** Outwards: the lower end down, the upper end up. */
export function epsilonInterval({
  lower,
  upper,
}: {
  readonly lower: number;
  readonly upper: number | null;
}): string {
  if (upper === null || !Number.isFinite(upper)) return '∞';
  const down = (Math.floor(lower * 1000 + 1e-9) / 1000).toFixed(3);
  const up = (Math.ceil(upper * 1000 - 1e-9) / 1000).toFixed(3);
  return `${down} – ${up}`;
}

/** 1e-6 as 10⁻⁶, 5e-7 as 5 × 10⁻⁷. */
export function power(value: number): string {
  if (!(value > 0) || value >= 0.01) return String(value);
  const [mantissa = '', exponent = ''] = value.toExponential().split('e-');
  const raised = `10⁻${[...exponent].map((digit) => SUPERSCRIPTS[Number(digit)]).join('')}`;
  return mantissa === '1' ? raised : `${Number(Number(mantissa).toFixed(2))} × ${raised}`;
}

export const percent = (share: number, digits = 1): string =>
  `${(100 * share).toFixed(digits).replace('-', '−')} %`;

export const distance = (value: number): string => value.toFixed(3);

export function bytes(value: number): string {
  if (value < 1024) return `${count(value)} B`;
  const exponent = Math.min(3, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** exponent;
  return `${scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0)} ${['B', 'KiB', 'MiB', 'GiB'][exponent]}`;
}

export function duration(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return '–';
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${count(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
