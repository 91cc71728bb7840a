import type { Assessment } from '../assess.js';
import {
  associationSection,
  distributionsSection,
  fidelitySection,
  planeSection,
  validitySection,
  verdictSection,
} from './assessmentSections.js';
import { attributeSection, copyingSection, membershipSection } from './attackSections.js';
import { count } from './format.js';
import { html, Markup } from './html.js';
import { STYLE } from './style.js';
import { discriminatorSection, groupsSection, utilitySection } from './useSections.js';

/** The sentence that must not be missing (hazard D7). */
export const RELEASE_NOTE =
  'Keep this page inside: its figures are computed from real rows, without noise. Showing it to others is a release of those rows that no ε covers.';

export interface AssessmentPage {
  readonly title: string;
  /** ISO 8601. */
  readonly generatedAt: string;
  /** Names of the files, for the last line of the header. */
  readonly files: { readonly train: string; readonly real: string; readonly synthetic: string };
}

/** One self-contained HTML page: no script, no network, every value escaped. Equal assessment, equal figures. */
export function renderAssessment(assessment: Assessment, page: AssessmentPage): string {
  const { rows } = assessment;
  const { title, generatedAt, files } = page;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<header class="page"><div>
  <h1>${title}</h1>
  <p class="meta">${files.synthetic}: ${count(rows.synthetic)} synthetic rows · learnt from ${files.train}: ${count(rows.train)} ·
  judged with ${files.real}: ${count(rows.real)} real rows that the generator never met ·
  <time datetime="${generatedAt}">${generatedAt.slice(0, 16).replace('T', ' ')}</time></p>
  <nav aria-label="Sections"><a href="#verdict">In short</a><a href="#fidelity">How close</a><a href="#distributions">Distributions</a>
  <a href="#association">Association</a><a href="#plane">One plane</a><a href="#validity">Possible rows</a><a href="#utility">Training a model</a>
  <a href="#discriminator">Telling apart</a><a href="#groups">Groups</a><a href="#copying">Copies</a><a href="#membership">Membership</a>
  <a href="#attributes">Attributes</a></nav>
</div></header>
<main>
<aside class="frame" role="note"><p><strong>${RELEASE_NOTE}</strong> In a federation nobody has the real table: there, quality is measured by a
sum with noise, which the ledger charges.</p></aside>
${verdictSection(assessment)}
${fidelitySection(assessment)}
${distributionsSection(assessment)}
${associationSection(assessment)}
${planeSection(assessment)}
${validitySection(assessment)}
${utilitySection(assessment)}
${discriminatorSection(assessment)}
${groupsSection(assessment)}
${copyingSection(assessment)}
${membershipSection(assessment)}
${attributeSection(assessment)}
<footer>Made by Chorale. Charts are drawn with Apache ECharts; nothing on this page is loaded from elsewhere.</footer>
</main>
</body>
</html>
`.text;
}
