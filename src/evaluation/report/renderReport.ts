import { associationSection, distributionsSection, fidelitySection } from './dataSections.js';
import { count, counted, duration, epsilon, percent, power } from './format.js';
import { html, Markup } from './html.js';
import { qualitySection } from './qualitySection.js';
import { dropouts, type ReportData } from './reportData.js';
import { costSection, epsilonSection, roundsSection } from './runSections.js';
import { STYLE } from './style.js';

/** The sentence that must not be missing: the page itself is not differentially private. */
export const REAL_DATA_NOTE =
  'Real-data statistics in this report are the demo’s own: it owns all eight files. They never reached the coordinator.';

/** One self-contained HTML page: no script, no network, every value escaped. Equal data, equal figures. */
export function renderReport(data: ReportData): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${data.title}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
${header(data)}
<main>
${note()}
${tiles(data)}
${qualitySection(data.measured ?? [], data.evaluated)}
${fidelitySection(data)}
${distributionsSection(data)}
${associationSection(data)}
${epsilonSection(data)}
${roundsSection(data)}
${costSection(data)}
${limitsSection(data)}
${detailsSection(data)}
<footer>Made by Chorale. Charts are drawn with Apache ECharts; nothing on this page is loaded from elsewhere.</footer>
</main>
</body>
</html>
`;
  return page.text;
}

function header({ title, generatedAt, run, privacy, participants, evaluation }: ReportData): Markup {
  const outcome = { completed: 'completed', stopped: 'stopped early', aborted: 'aborted' }[run.status];
  return html`<header class="page"><div>
  <h1>${title}</h1>
  <p class="meta">Run ${run.id} · ${outcome}${run.reason === undefined ? '' : ` (${run.reason})`} · ${duration(run.durationMs)} · report of
  <time datetime="${generatedAt}">${generatedAt.slice(0, 16).replace('T', ' ')}</time></p>
  <p class="lead">Together, ${counted(participants.length, 'organisation')} made one generator of synthetic rows, and none of them
  showed its records to anyone. The coordinator that led them received only sums over at least ${count(privacy.minSurvivors)} of them, masked on the way and blurred by noise
  that was added at the source. This page shows what those sums cost in privacy, and how close the ${count(evaluation.rows.synthetic)} synthetic
  rows come to the real ones.</p>
  <nav aria-label="Sections"><a href="#fidelity">How close</a><a href="#distributions">Distributions</a>
  <a href="#association">Association</a><a href="#epsilon">Privacy cost</a><a href="#rounds">Rounds</a>
  <a href="#cost">Sizes and times</a><a href="#limits">What it protects</a><a href="#details">Details</a></nav>
</div></header>`;
}

function note(): Markup {
  return html`<aside class="frame" role="note"><p><strong>${REAL_DATA_NOTE}</strong>
  In a real deployment nobody holds all files, and a page like this one would be a privacy leak of its own: its
  real-data figures carry no noise.</p></aside>`;
}

function tiles(data: ReportData): Markup {
  const { privacy, run, rounds, evaluation, participants } = data;
  const { yardsticks } = evaluation;
  const drops = dropouts(data);
  const completed = rounds.filter((round) => round.outcome === 'completed').length;
  const closeness = (distance: number): string => percent(1 - distance);
  const used = Math.min(1, privacy.epsilonSpent / privacy.epsilonLimit);
  return html`<dl class="tiles">
  <div class="tile main"><dt>Privacy spent (ε)</dt>
    <dd class="value">${epsilon(privacy.epsilonSpent)} <span class="soft">of ${epsilon(privacy.epsilonLimit)}</span></dd>
    <dd><div class="meter" role="img" aria-label="${percent(used, 0)} of the limit is spent"><span style="width:${(100 * used).toFixed(1)}%"></span></div></dd>
    <dd class="note">${percent(used, 0)} of the signed limit, against the coordinator and
    ${counted(privacy.maxColluders, 'colluding member')}. Smaller is more private.</dd></div>
  <div class="tile main"><dt>Fidelity, over pairs of columns</dt>
    <dd class="value">${closeness(yardsticks.synthetic.twoWay.mean)}</dd>
    <dd><div class="meter" role="img" aria-label="${closeness(yardsticks.synthetic.twoWay.mean)} fidelity"><span style="width:${closeness(yardsticks.synthetic.twoWay.mean).replace(' ', '')}"></span></div></dd>
    <dd class="note">1 − mean distance. Yardsticks at equal size: independent columns ${closeness(yardsticks.independentColumns.twoWay.mean)},
    real hold-out ${closeness(yardsticks.realHoldOut.twoWay.mean)}. Single columns: ${closeness(yardsticks.synthetic.oneWay.mean)}.</dd></div>
  <div class="tile"><dt>δ</dt><dd class="value">${power(privacy.delta)}</dd><dd class="note">chance outside the bound of ε</dd></div>
  <div class="tile"><dt>Rounds</dt><dd class="value">${count(completed)}</dd><dd class="note">of ${count(run.plannedRounds)} planned</dd></div>
  <div class="tile"><dt>Dropped members</dt><dd class="value">${count(new Set(drops.map((drop) => drop.participant.id)).size)}</dd>
    <dd class="note">of ${count(participants.length)}${drops[0] === undefined ? '' : `; ${drops[0].participant.name}, round ${count(drops[0].round)}`}</dd></div>
  <div class="tile"><dt>Synthetic rows</dt><dd class="value">${count(evaluation.rows.synthetic)}</dd>
    <dd class="note">${evaluation.validity.invalidRows === 0 ? 'every row valid by the schema' : `${count(evaluation.validity.invalidRows)} invalid`}</dd></div>
</dl>`;
}

function limitsSection({ privacy }: ReportData): Markup {
  return html`<section id="limits"><h2>What this protects against, and what not</h2><div class="two">
  <div><h3>It protects</h3><ul>
    <li><strong>Each member’s contribution</strong> from the coordinator, even one that lies about rosters, drop-outs or models: it only ever
    opens sums of at least ${count(privacy.minSurvivors)} vectors.</li>
    <li><strong>Each record</strong> from whoever sees the sums, the model or the synthetic rows, within the ε and δ above, even if
    the coordinator and ${counted(privacy.maxColluders, 'member')} work together.</li>
    <li><strong>The budget</strong>: every member keeps its own count and refuses by itself to answer beyond the limit.</li>
    <li><strong>A member that vanishes</strong>: its vector stays masked, and the charge falls to the noise that is really there.</li>
  </ul></div>
  <div><h3>It does not protect</h3><ul>
    <li><strong>Groups of records.</strong> The unit is one record: whoever has k records in the data has about k times the ε, and what is
    true of a whole organisation or of all of them can be learnt. That is the purpose.</li>
    <li><strong>Against more than ${counted(privacy.maxColluders, 'colluder')}</strong>: each further one takes its share of the noise away.</li>
    <li><strong>Against false rows.</strong> A member may lie about its own records, and spoil the result for all.</li>
    <li><strong>What is public</strong>: who takes part, when, the declared record counts, the schema.</li>
    <li><strong>From wrong conclusions.</strong> Synthetic rows are drawn from a noisy model. Do not decide about a
    person or a single case with them, and look at the distances above before you trust a rare group.</li>
  </ul></div></div></section>`;
}

function detailsSection({ run, privacy }: ReportData): Markup {
  const lines: readonly (readonly [string, string])[] = [
    ['Synthesizer', run.synthesizer],
    ...Object.entries(run.options).map(([name, value]) => [name, String(value)] as const),
    ['Fewest vectors in a sum', count(privacy.minSurvivors)],
    ['Accountant', privacy.accountant],
    ['Engine', run.engine],
    ['Machine', run.machine],
  ];
  return html`<section id="details"><h2>Details of the run</h2><div class="scroll"><table><tbody>
  ${lines.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)}
  <tr><th scope="row">Charter digest</th><td class="digest">${run.charterDigest}</td></tr>
  <tr><th scope="row">Plan digest</th><td class="digest">${run.planDigest}</td></tr>
  </tbody></table></div></section>`;
}
