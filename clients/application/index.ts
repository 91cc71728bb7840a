/**
 * A small client for applications: pages of synthetic rows, a whole CSV file, or the release that they are drawn from. Needs
 * `fetch` and WebCrypto and nothing of the coordinator; works in a browser.
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

export type SyntheticValue = SyntheticRow[string];

/** Values that a column may have: those listed (null: missing), or a range; `above` and `below` leave the bound itself out. */
export type ColumnCondition =
  | { readonly in: readonly SyntheticValue[] }
  | {
      readonly from?: string | number;
      readonly to?: string | number;
      readonly above?: string | number;
      readonly below?: string | number;
    };

/** Held exactly, where the run's synthesizer can; it refuses otherwise (InvalidInput). */
export interface SampleConditions {
  /** By column; all hold. */
  readonly where?: Readonly<Record<string, ColumnCondition>>;
  /** Other shares of one column's values, parts of 1; what they leave is for all other values. */
  readonly balance?: {
    readonly column: string;
    readonly shares: readonly (({ readonly value: SyntheticValue } | ColumnCondition) & {
      readonly share: number;
    })[];
  };
}

/** What a run published, and all that is needed to draw from it elsewhere. */
export interface Release {
  readonly run: string;
  /** SHA-256 of `bytes`, lower-case hex: checked. */
  readonly digest: string;
  readonly bytes: Uint8Array;
  /** The synthesizer's kind, and the options that the run was planned with. */
  readonly synthesizer: string;
  readonly options: unknown;
  /** RFC 8785 text of the charter, and its SHA-256: checked. */
  readonly charter: { readonly body: string; readonly digest: string };
}

export interface SampleOptions extends SampleConditions {
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
  /** The release, by its digest. Throws ApplicationError, DigestMismatch where the coordinator sent something else. */
  release(options: { readonly run: string; readonly signal?: AbortSignal }): Promise<Release>;
}

const SAMPLES = `query Samples($run: String!, $first: Int!, $after: String, $seed: String!, $where: [ColumnConditionInput!], $balance: BalanceInput) {
  syntheticSamples(run: $run, first: $first, after: $after, seed: $seed, where: $where, balance: $balance) {
    ... on SyntheticSamples { rows schema pageInfo { endCursor } }
    ... on Failure { code message }
  }
}`;
interface Samples {
  readonly syntheticSamples:
    | {
        readonly rows: readonly SyntheticRow[];
        readonly schema: unknown;
        readonly pageInfo: { readonly endCursor: string | null };
      }
    | { readonly code: string; readonly message: string };
}

const RELEASE = `query Release($run: String!) {
  run(id: $run) { status synthesizer options releaseDigest charter { digest body } }
}`;
interface Released {
  readonly run: {
    readonly status: string;
    readonly synthesizer: string;
    readonly options: unknown;
    readonly releaseDigest: string | null;
    readonly charter: { readonly digest: string; readonly body: string };
  } | null;
}

interface Answer<Data> {
  readonly data?: Data;
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

  async function ask<Data>(
    query: string,
    variables: Record<string, unknown>,
    signal: AbortSignal | undefined,
  ): Promise<Data> {
    const response = await fetch(`${base}/graphql`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ query, variables }),
      signal: signal ?? null,
    });
    if (!response.ok) throw await problemOf(response);
    const { data, errors } = (await response.json()) as Answer<Data>;
    const [error] = errors ?? [];
    if (error !== undefined || data === undefined)
      throw new ApplicationError(
        error?.extensions?.code ?? 'InternalError',
        error?.message ?? 'The answer is empty.',
      );
    return data;
  }

  async function page(
    variables: Record<string, unknown>,
    signal: AbortSignal | undefined,
  ): Promise<SamplePage> {
    const { syntheticSamples: result } = await ask<Samples>(SAMPLES, variables, signal);
    if ('code' in result) throw new ApplicationError(result.code, result.message);
    return { rows: result.rows, schema: result.schema, endCursor: result.pageInfo.endCursor };
  }

  return {
    async *sample({ run, rows, seed = '0', pageRows = 1_000, where = {}, balance, signal }) {
      const conditions = Object.entries(where).map(([column, condition]) => ({ column, ...condition }));
      const order = { run, seed, where: conditions, ...(balance !== undefined && { balance }) };
      let after: string | null = null;
      for (let left = rows; left > 0; ) {
        const next: SamplePage = await page({ ...order, after, first: Math.min(left, pageRows) }, signal);
        if (next.rows.length === 0) return;
        yield next;
        left -= next.rows.length;
        after = next.endCursor;
      }
    },
    async exportCsv({ run, rows, seed = '0', where, balance, signal }) {
      const query = new URLSearchParams({
        rows: String(rows),
        seed,
        ...(where !== undefined && { where: JSON.stringify(where) }),
        ...(balance !== undefined && { balance: JSON.stringify(balance) }),
      });
      const response = await fetch(`${base}/samples/${encodeURIComponent(run)}.csv?${query}`, {
        headers: { authorization },
        signal: signal ?? null,
      });
      if (!response.ok || response.body === null) throw await problemOf(response);
      return response.body;
    },
    async release({ run, signal }) {
      const { run: found } = await ask<Released>(RELEASE, { run }, signal);
      if (found === null) throw new ApplicationError('NotFound', `There is no run ${run}.`);
      const { releaseDigest: digest, charter, synthesizer, options } = found;
      if (digest === null)
        throw new ApplicationError(
          'ReleaseNotReady',
          `Run ${run} is ${found.status}: it has published nothing.`,
        );
      const response = await fetch(`${base}/releases/${digest}`, {
        headers: { authorization },
        signal: signal ?? null,
      });
      if (!response.ok) throw await problemOf(response);
      const bytes = new Uint8Array(await response.arrayBuffer());
      await assertDigest(bytes, digest, 'release');
      await assertDigest(new TextEncoder().encode(charter.body), charter.digest, 'charter');
      return { run, digest, bytes, synthesizer, options, charter };
    },
  };
}

/** What comes under a digest is what the digest says, whoever sends it. */
async function assertDigest(bytes: Uint8Array<ArrayBuffer>, digest: string, what: string): Promise<void> {
  const own = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  if (Array.from(own, (byte) => byte.toString(16).padStart(2, '0')).join('') === digest) return;
  throw new ApplicationError(
    'DigestMismatch',
    `The coordinator sent another ${what} than the one with digest ${digest}.`,
  );
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
