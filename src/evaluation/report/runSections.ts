import type { Audit } from '../audit/oneRun.js';
import { bytes, count, counted, duration, epsilon, epsilonInterval, percent, power } from './format.js';
import { html, type Markup } from './html.js';
import { dropouts, quantile, type ReportData, type Viewer } from './reportData.js';
import { deltaChart, epsilonChart, roundsChart } from './runCharts.js';

const VIEWERS: Readonly<Record<Viewer, readonly [string, string]>> = {
  'coordinator-and-colluders': [
    'The coordinator with colluding members',
    'the coordinator lies as it likes, and members tell it their own noise: the limit and every ε on this page are about this view',
  ],
  public: ['The public', 'sees the published results only, with the noise of all contributors in them'],
  'another-member': ['One other member', 'sees the published results and can subtract its own noise'],
  'coordinator-alone': ['The coordinator alone', 'sees every sum, and no member helps it'],
  'secure-aggregation-broken': [
    'Whoever breaks secure aggregation',
    'sees each member’s own vector, protected by that member’s share of the noise only',
  ],
};

export function epsilonSection(data: ReportData): Markup {
  const { privacy, ledger } = data;
  const entries = (status: string): number => ledger.filter((entry) => entry.status === status).length;
  const open = entries('reserved');
  return html`<section id="epsilon">
    <h2>What it cost: ε by round</h2>
    <p>ε bounds what anyone can learn about a single record: with it or without it, whatever an observer sees has nearly the same
    probability, up to a factor of e<sup>ε</sup> (and a chance of δ = ${power(privacy.delta)}). Before a round opens, its worst
    case is reserved; after it, the noise that really survived is charged. Over the limit the run stops by itself.</p>
    <figure>${epsilonChart(data)}
    <figcaption>Solid: spent. Dashed: what the plan allows for, if every sum held only ${count(privacy.minSurvivors)} vectors.
    The orange line is the limit that all members signed.</figcaption></figure>
    <p>Ledger: ${count(entries('committed'))} entries committed, ${count(entries('voided'))} voided
    (nothing was opened, nothing is charged)${open > 0 ? html`, ${count(open)} still reserved` : ''}.
    Accountant: ${privacy.accountant}.</p>
    <h3>Who sees which ε</h3>
    <div class="scroll"><table>
      <caption>The same sums seen by five observers, at δ = ${power(privacy.delta)}; unit of privacy: one record, added or removed</caption>
      <thead><tr><th scope="col">Observer</th><th scope="col">What it has</th>
      <th scope="col" class="n">ε charged</th><th scope="col" class="n">true ε between</th></tr></thead>
      <tbody>${privacy.views.map(({ viewer, epsilon: value, interval }) => {
        const [name, what] = VIEWERS[viewer];
        const main = viewer === 'coordinator-and-colluders';
        return html`<tr class="${main ? 'main' : ''}"><th scope="row">${name}${main ? ` (up to ${privacy.maxColluders})` : ''}</th>
          <td>${what}</td><td class="n">${epsilon(value)}</td><td class="n">${epsilonInterval(interval)}</td></tr>`;
      })}</tbody></table></div>
    <p>Charged is what the ledger holds against the limit, by an accountant that stays valid when costs are chosen as one goes.
    The interval is what the same noise is worth by the privacy loss distribution: no smaller ε holds, none larger is needed.</p>
    ${
      privacy.views.some((view) => view.curve.length > 0)
        ? html`<figure>${deltaChart(data)}
    <figcaption>δ is only one choice: for each ε, the chance with which it does not hold, by who looks.</figcaption></figure>`
        : ''
    }
    ${privacy.audit === undefined ? '' : auditParagraph(privacy.audit)}
  </section>`;
}

function auditParagraph(audit: Audit): Markup {
  return html`<h3>Tried out, not only computed</h3>
    <p>A training by the same plan, on no member’s rows, had ${count(audit.canaries)} canaries for records, each with probability ½. From the noisy sums
    ${count(audit.rightGuesses)} of ${count(audit.guesses)} guesses about who was in were right: <strong>ε ≥ ${audit.epsilonEmpirical.toFixed(2)}</strong> with
    ${percent(audit.confidence, 0)} confidence, where ${epsilon(audit.epsilonAccounted)} is accounted. Sums without noise would have shown
    ${audit.epsilonDetectable.toFixed(1)}. An audit finds what is broken; it proves no upper bound.</p>`;
}

export function roundsSection(data: ReportData): Markup {
  const { rounds, privacy, participants } = data;
  const drops = dropouts(data);
  const aborted = rounds.flatMap((round, index) =>
    round.outcome === 'aborted' ? [{ round, number: index + 1 }] : [],
  );
  return html`<section id="rounds">
    <h2>Rounds and drop-outs</h2>
    <p>In each round every member adds its share of the noise and masks its vector; only the sum can be unmasked. If
    a member vanishes after the masks are set, the others open shares of its one-round mask key, so that the sum comes out without
    it. Its vector stays hidden, and a sum of fewer than ${count(privacy.minSurvivors)} vectors is never opened.</p>
    <figure>${roundsChart(data)}
    <figcaption><span class="key"></span>in the sum <span class="key absent"></span>not asked
    ${aborted.length > 0 ? html`<span class="key aborted"></span>round aborted` : ''}
    <span class="key dropped">✕</span>dropped</figcaption></figure>
    ${
      drops.length === 0
        ? html`<p>Nobody dropped out: each of the ${counted(participants.length, 'member')} is in every sum that was asked of it.</p>`
        : html`<div class="scroll"><table><caption>Drop-outs</caption>
        <thead><tr><th scope="col">Member</th><th scope="col" class="n">Round</th>
        <th scope="col" class="n">Key shares opened to recover the sum</th><th scope="col">Afterwards</th></tr></thead>
        <tbody>${drops.map(
          (
            drop,
          ) => html`<tr><th scope="row">${drop.participant.name}</th><td class="n">${count(drop.round)}</td>
          <td class="n">${count(drop.recoveredShares)}</td>
          <td>${drop.returned ? 'came back' : 'did not come back; the run went on without it'}</td></tr>`,
        )}</tbody></table></div>`
    }
    ${
      aborted.length === 0
        ? ''
        : html`<p><span class="warn">${counted(aborted.length, 'round')} aborted</span>, no sum released:
        ${aborted.map(({ round, number }) => `round ${number} (${round.abortReason ?? 'no reason given'})`).join(', ')}.</p>`
    }
  </section>`;
}

/** `widths` in percent of the row's bar. */
const bar = (share: number, kind: '' | 'tail'): Markup =>
  html`<span class="${kind}" style="width:${Math.max(0, Math.min(100, 100 * share)).toFixed(1)}%"></span>`;

export function costSection({ rounds, participants, run }: ReportData): Markup {
  const phases = [...new Set(rounds.flatMap((round) => Object.keys(round.timings)))];
  const times = phases.map((phase) => {
    const values = rounds.flatMap((round) => round.timings[phase] ?? []);
    return { phase, median: quantile(values, 0.5), p95: quantile(values, 0.95) };
  });
  const slowest = Math.max(1, ...times.map(({ p95 }) => p95));
  const sent = participants.map((participant) => {
    const inRounds = rounds.reduce((sum, round) => sum + (round.bytesReceived[participant.id] ?? 0), 0);
    const setup = participant.setupBytes ?? 0;
    return { participant, setup, inRounds, total: inRounds + setup };
  });
  const most = Math.max(1, ...sent.map(({ total }) => total));
  return html`<section id="cost">
    <h2>Sizes and times</h2>
    <p>${counted(rounds.length, 'round')} in ${duration(run.durationMs)}, ${(rounds.length / Math.max(0.001, run.durationMs / 1000)).toFixed(1)}
    rounds a second, set-up of the run included. Engine: ${run.engine}. Machine: ${run.machine}.</p>
    <div class="two">
    <div class="scroll"><table><caption>Time of a round by phase (solid: median, hatched: 95th percentile)</caption>
      <thead><tr><th scope="col">Phase</th><th scope="col" class="n">Median</th><th scope="col" class="n">95 %</th><th scope="col"></th></tr></thead>
      <tbody>${times.map(
        ({
          phase,
          median,
          p95,
        }) => html`<tr><th scope="row">${phase.replace(/[-_]/g, ' ')}</th><td class="n">${duration(median)}</td>
        <td class="n">${duration(p95)}</td><td class="bar">${bar(median / slowest, '')}${bar(p95 / slowest, 'tail')}</td></tr>`,
      )}</tbody></table></div>
    <div class="scroll"><table><caption>Bytes that the coordinator received from each member</caption>
      <thead><tr><th scope="col">Member</th><th scope="col" class="n">Set-up</th><th scope="col" class="n">Rounds</th><th scope="col"></th></tr></thead>
      <tbody>${sent.map(
        ({ participant, setup, inRounds, total }) => html`<tr><th scope="row">${participant.name}
        <small class="soft">${counted(participant.declaredRecords, 'declared record')}</small></th>
        <td class="n">${participant.setupBytes === undefined ? '–' : bytes(setup)}</td><td class="n">${bytes(inRounds)}</td>
        <td class="bar">${bar(total / most, '')}</td></tr>`,
      )}</tbody></table></div>
    </div>
  </section>`;
}
