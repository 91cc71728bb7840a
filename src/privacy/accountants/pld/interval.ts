/** A number that lies between two others, by theorem: discretisation, truncation and rounding are inside. */
export interface PrivacyInterval {
  readonly lower: number;
  readonly upper: number;
}
