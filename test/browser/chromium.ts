import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import chromium from '@sparticuz/chromium';
import { chromium as playwright } from 'playwright-core';

/** The Chromium of @sparticuz/chromium is built for this platform alone. */
export const chromiumPlatform = process.platform === 'linux' && process.arch === 'x64';

export interface Page {
  /** The value of an expression on the page, awaited, as JSON carries it. */
  evaluate(expression: string): Promise<unknown>;
  readonly version: string;
  /** Addresses that the page asked for. */
  readonly requests: readonly string[];
}

/** An empty page of a headless Chromium without network, on which a script was run; both are gone afterwards. */
export async function withChromium<T>(script: string, use: (page: Page) => Promise<T>): Promise<T> {
  // Chromium is unpacked to the system's temporary folder and taken from there if it is found, whoever put it
  // there: give it a folder of its own.
  const folder = await mkdtemp(join(tmpdir(), 'chorale-chromium-'));
  const { TMPDIR } = process.env;
  process.env.TMPDIR = folder;
  try {
    const browser = await playwright.launch({
      executablePath: await chromium.executablePath(),
      // --no-sandbox among them: root, as in a container, can't start Chromium with its sandbox.
      args: chromium.args,
      headless: true,
    });
    try {
      const context = await browser.newContext({ offline: true });
      const page = await context.newPage();
      const requests: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      await page.addScriptTag({ content: script });
      return await use({
        evaluate: (expression) => page.evaluate(expression),
        version: browser.version(),
        requests,
      });
    } finally {
      await browser.close();
    }
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
