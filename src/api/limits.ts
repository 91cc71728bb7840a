/** Limits of the API, stated where they are set. What exceeds one is refused, never cut. */

/** A GraphQL request's body. Vectors and block messages travel by PUT. */
export const GRAPHQL_BODY_BYTES = 1024 * 1024;
/** One `Bytes` value, decoded. */
export const BYTES_SCALAR_BYTES = 64 * 1024;
/** Selection sets inside each other; the deepest documented query has 7. */
export const QUERY_DEPTH = 10;
export const QUERY_ALIASES = 20;
export const QUERY_DIRECTIVES = 20;
export const QUERY_TOKENS = 2_000;
/** Armor's measure: 2 an object, 1 a scalar, × 1.5 a level, × `first`: one full page of samples is 240,000. */
export const QUERY_COST = 300_000;
/** Entries of one Relay page. */
export const PAGE_ENTRIES = 1_000;
export const SAMPLE_PAGE_ROWS = 10_000;
/** Rows that may be drawn from one run and seed: a cursor or an export ends there. */
export const SAMPLE_ROWS = 10_000_000;
export const SEED_CHARACTERS = 128;
/** A signature is fresh while its `created` is this near to the coordinator's clock, in either direction. */
export const SIGNATURE_WINDOW_MS = 300_000;
/** Nonces remembered in one window; beyond it the older half is forgotten. */
export const REMEMBERED_NONCES = 200_000;
/** How long an approved key or a live token is believed without asking the store: what a revocation takes to bite. */
export const IDENTITY_CACHE_MS = 1_000;
/** A client may take this long to send a request: a slow one never holds a connection for ever. */
export const REQUEST_TIMEOUT_MS = 120_000;
