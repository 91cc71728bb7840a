const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}

/** Markup that is safe to put into a page as it is: made by `html`, or by a renderer that escapes. */
export class Markup {
  constructor(readonly text: string) {}
}

export type Fragment = Markup | string | number | readonly Fragment[];

/** A template whose every value is escaped unless it is Markup itself: forgetting to escape is not possible. */
export function html(strings: TemplateStringsArray, ...values: readonly Fragment[]): Markup {
  return new Markup(strings.reduce((page, part, i) => page + render(values[i - 1] ?? '') + part));
}

function render(fragment: Fragment): string {
  if (fragment instanceof Markup) return fragment.text;
  if (typeof fragment === 'object') return fragment.map(render).join('');
  return escapeHtml(String(fragment));
}
