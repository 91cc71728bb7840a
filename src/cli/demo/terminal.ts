import { Presets, SingleBar } from 'cli-progress';

/** How the demo speaks: a progress bar on a terminal, plain lines elsewhere, JSON lines on request. */
export interface Terminal {
  title(text: string): void;
  /** One numbered step of the story. */
  step(event: string, text: string, figures?: Readonly<Record<string, unknown>>): void;
  /** A detail below the step. */
  note(text: string): void;
  progress(step: number, total: number, figures: Readonly<Record<string, number>>): void;
  /** Ends the bar, so that other lines can follow. */
  settle(): void;
  table(
    event: string,
    rows: readonly (readonly [string, string])[],
    figures: Readonly<Record<string, unknown>>,
  ): void;
}

type Write = (line: string) => void;

export function createTerminal(options: {
  readonly json: boolean;
  readonly isTty: boolean;
  readonly write: Write;
}): Terminal {
  const { json, isTty, write } = options;
  let steps = 0;
  let bar: SingleBar | undefined;
  let lastTenth = -1;
  const bold = (text: string) => (isTty ? `\u001b[1m${text}\u001b[22m` : text);
  const dim = (text: string) => (isTty ? `\u001b[2m${text}\u001b[22m` : text);

  function settle(): void {
    bar?.stop();
    bar = undefined;
  }

  return {
    title(text) {
      if (!json) write(`\n${bold(text)}\n`);
    },
    step(event, text, figures = {}) {
      settle();
      steps += 1;
      write(json ? JSON.stringify({ event, ...figures }) : `${bold(String(steps).padStart(2))}  ${text}`);
    },
    note(text) {
      settle();
      if (!json) write(`    ${dim(text)}`);
    },
    progress(step, total, figures) {
      if (json) return write(JSON.stringify({ event: 'progress', step, total, ...figures }));
      if (isTty) {
        if (bar === undefined) {
          bar = new SingleBar(
            {
              format: '    {bar} {value}/{total} sums · {rate}/s · ε {epsilon}',
              hideCursor: true,
              barsize: 32,
              clearOnComplete: false,
            },
            Presets.shades_classic,
          );
          bar.start(total, step, { rate: '–', epsilon: '–' });
        }
        bar.update(step, {
          rate: (figures.roundsPerSecond ?? 0).toFixed(1),
          epsilon: (figures.epsilon ?? 0).toFixed(2),
        });
        return;
      }
      const tenth = Math.floor((10 * step) / total);
      if (tenth > lastTenth) {
        lastTenth = tenth;
        write(
          `    ${step} of ${total} sums, ${(figures.roundsPerSecond ?? 0).toFixed(1)} a second, ε ${(figures.epsilon ?? 0).toFixed(2)}`,
        );
      }
    },
    settle,
    table(event, rows, figures) {
      settle();
      if (json) return write(JSON.stringify({ event, ...figures }));
      const width = Math.max(...rows.map(([name]) => name.length));
      write('');
      for (const [name, value] of rows) write(`    ${name.padEnd(width)}  ${value}`);
      write('');
    },
  };
}
