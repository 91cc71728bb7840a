/**
 * A small client for applications: pages of synthetic rows, or a whole CSV file. Needs `fetch` and nothing of the
 * coordinator; works in a browser.
 */

/** A row as the Table Schema writes it; null is a missing value. */
export type SyntheticRow = Readonly<Record<string, string | number | boolean | null>>;

export interface SamplePage {
  readonly rows: readonly SyntheticRow[];
  /** Table Schema (Data Package v2). */
  readonly schema: unknown;
  /** Where the next page begins. */
  readonly endCursor: string | null;
}

export interface SampleOptions {
  /** The run's id. */
  readonly run: string;
  /** How many rows in all. */
  readonly rows: number;
  /** Any text of 1 to 128 characters, "0" by default: equal seeds give equal rows. */
  readonly seed?: string;
  /** 1 to 10,000, 1,000 by default. */
  readonly pageRows?: number;
  readonly signal?: AbortSignal;
}

/** What the coordinator refused; `code` is stable: ReleaseNotReady, NotFound, InvalidInput, InvalidToken, Forbidden, … */
export class ApplicationError extends Error {
  override readonly name = 'ApplicationError';
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export interface ApplicationClient {
  /** Pages until `rows` have come. Throws ApplicationError. */
  sample(options: SampleOptions): AsyncIterable<SamplePage>;
  /** RFC 4180 with a header line, as it arrives. Throws ApplicationError. */
  exportCsv(options: Omit<SampleOptions, 'pageRows'>): Promise<ReadableStream<Uint8Array>>;
}

const SAMPLES = `query Samples($run: String!, $first: Int!, $after: String, $seed: String!) {
  syntheticSamples(run: $run, first: $first, after: $after, seed: $seed) {
    ... on SyntheticSamples { rows schema pageInfo { endCursor } }
    ... on Failure { code message }
  }
}`;

interface Answer {
  readonly data?: {
    readonly syntheticSamples:
      | {
          readonly rows: readonly SyntheticRow[];
          readonly schema: unknown;
          readonly pageInfo: { readonly endCursor: string | null };
        }
      | { readonly code: string; readonly message: string };
  };
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: { readonly code?: string };
  }[];
}

export function createApplicationClient({
  url,
  token,
}: {
  /** The coordinator's, e.g. "http://127.0.0.1:4000". */
  readonly url: string;
  /** An access token with the role "application". */
  readonly token: string;
}): ApplicationClient {
  const base = url.replace(/\/+$/, '');
  const authorization = `Bearer ${token}`;

  async function page(
    variables: Record<string, unknown>,
    signal: AbortSignal | undefined,
  ): Promise<SamplePage> {
    const response = await fetch(`${base}/graphql`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ query: SAMPLES, variables }),
      signal: signal ?? null,
    });
    if (!response.ok) throw await problemOf(response);
    const { data, errors } = (await response.json()) as Answer;
    const [error] = errors ?? [];
    if (error !== undefined || data === undefined)
      throw new ApplicationError(
        error?.extensions?.code ?? 'InternalError',
        error?.message ?? 'The answer is empty.',
      );
    const result = data.syntheticSamples;
    if ('code' in result) throw new ApplicationError(result.code, result.message);
    return { rows: result.rows, schema: result.schema, endCursor: result.pageInfo.endCursor };
  }

  return {
    async *sample({ run, rows, seed = '0', pageRows = 1_000, signal }) {
      let after: string | null = null;
      for (let left = rows; left > 0; ) {
        const next: SamplePage = await page({ run, seed, after, first: Math.min(left, pageRows) }, signal);
        if (next.rows.length === 0) return;
        yield next;
        left -= next.rows.length;
        after = next.endCursor;
      }
    },
    async exportCsv({ run, rows, seed = '0', signal }) {
      const query = new URLSearchParams({ rows: String(rows), seed });
      const response = await fetch(`${base}/samples/${encodeURIComponent(run)}.csv?${query}`, {
        headers: { authorization },
        signal: signal ?? null,
      });
      if (!response.ok || response.body === null) throw await problemOf(response);
      return response.body;
    },
  };
}

async function problemOf(response: Response): Promise<ApplicationError> {
  try {
    const { code, detail } = (await response.json()) as { readonly code?: string; readonly detail?: string };
    if (code !== undefined) return new ApplicationError(code, detail ?? code);
  } catch {
    // No problem document: said below.
  }
  return new ApplicationError('UnexpectedAnswer', `The coordinator answered with status ${response.status}.`);
}
