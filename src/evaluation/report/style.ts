/** Light, printable, system fonts: the page loads nothing. */
export const STYLE = `
:root { --ink:#1d2733; --soft:#5b6875; --line:#dde3e9; --paper:#fff; --wash:#f5f7f9; --real:#0072B2; --synthetic:#E69F00; --alarm:#D55E00; --good:#00795a; }
* { box-sizing:border-box; }
html { -webkit-text-size-adjust:100%; }
body { margin:0; background:var(--wash); color:var(--ink); font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif; font-variant-numeric:tabular-nums; }
main { max-width:1120px; margin:0 auto; padding:0 28px 56px; }
header.page { background:var(--paper); border-bottom:1px solid var(--line); margin-bottom:24px; }
header.page > div { max-width:1120px; margin:0 auto; padding:36px 28px 28px; }
h1 { font-size:32px; line-height:1.2; margin:0 0 4px; letter-spacing:-.01em; }
h2 { font-size:22px; line-height:1.3; margin:0 0 6px; letter-spacing:-.005em; }
h3 { font-size:16px; margin:20px 0 6px; }
p { margin:0 0 12px; max-width:78ch; }
.lead { font-size:17px; margin:14px 0 0; }
.soft, figcaption, caption { color:var(--soft); }
.meta { color:var(--soft); font-size:14px; margin:0; max-width:none; }
section { background:var(--paper); border:1px solid var(--line); border-radius:10px; padding:26px 28px; margin:0 0 22px; }
nav { font-size:14px; margin-top:18px; display:flex; flex-wrap:wrap; gap:6px 18px; }
nav a { color:var(--real); text-underline-offset:3px; }
.tiles { display:grid; grid-template-columns:repeat(4,1fr); gap:14px; margin:0 0 22px; }
.tile { background:var(--paper); border:1px solid var(--line); border-radius:10px; padding:16px 16px 14px; }
.tile dt { font-size:13px; color:var(--soft); }
.tile dd { margin:0; }
.tile .value { font-size:27px; font-weight:650; line-height:1.25; letter-spacing:-.01em; white-space:nowrap; }
.tile .note { font-size:13px; line-height:1.4; color:var(--soft); }
.tile.main { grid-column:span 2; border-left:5px solid var(--real); }
.meter { height:8px; background:#e8edf1; border-radius:4px; margin:8px 0 6px; overflow:hidden; }
.meter span { display:block; height:100%; background:var(--real); }
aside.frame { border:2px solid var(--ink); border-radius:10px; background:#fffbef; padding:16px 22px; margin:0 0 22px; }
aside.frame p { margin:0; max-width:none; }
figure { margin:14px 0 0; }
figure svg { display:block; max-width:100%; height:auto; }
figcaption { font-size:14px; margin:6px 0 14px; max-width:90ch; }
.two { display:grid; grid-template-columns:1fr 1fr; gap:18px 36px; align-items:start; }
.three { display:grid; grid-template-columns:repeat(3,1fr); gap:16px; align-items:start; }
.two figure h3, .three figure h3 { margin:0 0 2px; display:flex; justify-content:space-between; align-items:baseline; gap:12px; }
.two figure h3 small { font-weight:400; font-size:13px; color:var(--soft); white-space:nowrap; }
.scroll { overflow-x:auto; }
table { border-collapse:collapse; width:100%; font-size:14.5px; margin:14px 0 4px; }
caption { text-align:left; font-size:14px; padding-bottom:6px; }
th, td { text-align:left; padding:7px 14px 7px 0; border-bottom:1px solid var(--line); vertical-align:top; }
thead th { font-size:13px; font-weight:600; color:var(--soft); vertical-align:bottom; }
tbody th { font-weight:500; }
tr.main th, tr.main td { background:#eef5fa; }
tr.main th, tr.main td.n { font-weight:650; }
tr.group th { font-size:13px; color:var(--soft); font-weight:600; padding-top:16px; }
tr.main th { padding-left:10px; box-shadow:inset 4px 0 0 var(--real); }
th.n, td.n { text-align:right; white-space:nowrap; }
td small, th small { color:var(--soft); display:block; font-weight:400; white-space:normal; }
td.n + td:not(.n), th.n + th:not(.n) { padding-left:20px; }
sup { line-height:0; }
td.bar { width:26%; min-width:120px; }
td.bar span { display:block; height:12px; margin-top:5px; background:var(--real); border-radius:2px; min-width:2px; }
td.bar span.tail { background:repeating-linear-gradient(-45deg,#8fbcdb 0 3px,#dcebf5 3px 6px); margin-top:3px; }
ul { margin:6px 0 0; padding-left:20px; }
li { margin:0 0 7px; }
.digest { font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace; font-size:12.5px; overflow-wrap:anywhere; }
.key { display:inline-block; width:22px; height:11px; border-radius:2px; vertical-align:baseline; margin:0 5px 0 12px; background:var(--real); }
.key.absent { background:#f4f6f8; border:1px dashed #98a4af; }
.key.aborted { background:#c9d0d7; }
.key.dropped { background:none; width:auto; height:auto; color:#a34600; font-weight:700; }
.warn { color:#a34600; font-weight:650; }
.ok { color:var(--good); font-weight:650; }
.level { white-space:nowrap; }
.watch { color:#7a5a00; font-weight:650; }
table.verdicts td small { margin-top:3px; font-size:12.5px; }
table.tight td small, table.tight th small { white-space:nowrap; }
.scroll + p { margin-top:10px; }
.smoke { border-left:5px solid var(--synthetic); background:#fffbef; padding:8px 14px; max-width:none; font-size:14.5px; }
footer { color:var(--soft); font-size:13px; }
@media screen and (max-width:900px) { .tiles { grid-template-columns:repeat(2,1fr); } .two,.three { grid-template-columns:1fr; } main, header.page > div { padding-left:16px; padding-right:16px; } section { padding:20px 16px; } }
@media screen and (max-width:900px) { figure { overflow-x:auto; } #epsilon svg, #rounds svg { min-width:720px; max-width:none; } }
@media print {
  * { -webkit-print-color-adjust:exact; print-color-adjust:exact; }
  @page { margin:14mm; }
  body { background:#fff; font-size:11pt; }
  main, header.page > div { max-width:none; padding-left:0; padding-right:0; }
  section { border:0; padding:8px 0 0; border-top:1px solid var(--line); border-radius:0; }
  nav { display:none; }
  .three { grid-template-columns:1fr 1fr; }
  #cost .two, #utility .two, #membership .two { grid-template-columns:1fr; }
  #groups table, #groups thead th { font-size:7.5pt; }
  #groups th, #groups td { padding-right:6px; }
  .scroll { overflow:visible; }
  figure, table, .tile, aside.frame { break-inside:avoid; }
  h2, h3 { break-after:avoid; }
}
`;
