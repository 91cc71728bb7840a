import { readFileSync } from 'node:fs';
import type { PrivacyEvent } from '../../privacy/index.js';
import { CliError, EXIT } from '../exits.js';
import {
  MAX_DISTINCT_MECHANISMS,
  MAX_EVENTS_BYTES,
  MAX_STEPS,
  type MechanismOptions,
  thousands,
} from './privacyOptions.js';

/** What was done, from `--noise-multiplier`, `--sampling-rate` and `--steps`, or from an events file. */
export async function eventOf(options: MechanismOptions): Promise<PrivacyEvent> {
  const { gaussianEvent, poissonSampledEvent, selfComposedEvent } = await import('../../privacy/index.js');
  const { noiseMultiplier, samplingRate, steps, events } = options;
  if (events !== undefined) return readEvents(events);
  if (noiseMultiplier === undefined)
    throw wrong('Say what was done: --noise-multiplier <number>, or --events <file>.');
  const release = gaussianEvent(noiseMultiplier);
  const step = samplingRate === 1 ? release : poissonSampledEvent(samplingRate, release);
  return steps === 1 ? step : selfComposedEvent(step, steps);
}

/** An array stands for its composition. What is no event is refused: an accountant would only say ∞. */
async function readEvents(file: string): Promise<PrivacyEvent> {
  const { composedEvent, parseEvent, PrivacyError, workload } = await import('../../privacy/index.js');
  let text: Buffer;
  try {
    text = readFileSync(file === '-' ? 0 : file);
  } catch (cause) {
    throw refused(`${file} cannot be read: ${(cause as Error).message}.`, cause);
  }
  if (text.length > MAX_EVENTS_BYTES)
    throw refused(
      `${file} is larger than ${MAX_EVENTS_BYTES / 2 ** 20} MiB: say equal events once, with "self-composed" and their count.`,
    );
  let json: unknown;
  try {
    json = JSON.parse(text.toString('utf8'));
  } catch (cause) {
    throw refused(`${file} is not JSON: ${(cause as Error).message}.`, cause);
  }
  try {
    const event = Array.isArray(json) ? composedEvent(json as PrivacyEvent[]) : parseEvent(json);
    const { distinct, releases } = workload(event);
    if (distinct > MAX_DISTINCT_MECHANISMS)
      throw refused(
        `${file} has ${thousands(distinct)} distinct mechanisms, and this command computes ${MAX_DISTINCT_MECHANISMS} at most. Charge like ones together, at the least noise among them.`,
      );
    if (releases > MAX_STEPS)
      throw refused(
        `${file} has ${thousands(releases)} steps, and this command computes ${thousands(MAX_STEPS)} at most.`,
      );
    return event;
  } catch (error) {
    if (error instanceof PrivacyError) throw refused(`${file}: ${error.message}.`, error);
    throw error;
  }
}

/** Arguments were checked; what is refused all the same is told as what it is. */
export async function answered<T>(compute: () => T): Promise<T> {
  const { PrivacyError } = await import('../../privacy/index.js');
  try {
    return compute();
  } catch (error) {
    if (error instanceof PrivacyError && error.code === 'argument-invalid')
      throw wrong(`${error.message}.`, error);
    throw error;
  }
}

/** The command line is as it should be, the file that it names is not. */
function refused(message: string, cause?: unknown): CliError {
  return new CliError(message, EXIT.refused, 'InvalidInput', { cause });
}

function wrong(message: string, cause?: unknown): CliError {
  return new CliError(message, EXIT.usage, 'InvalidInput', { cause });
}
