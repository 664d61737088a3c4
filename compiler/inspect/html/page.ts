// A self-contained HTML page: its style and its script lie in it, and it asks no server for anything.
import { escaped } from './text.ts';

const style = `
:root { color-scheme: light dark; --ink: #1c2733; --paper: #fff; --soft: #f3f6f9; --edge: #d5dde5; --mark: #ffe58a; --new: #e4f5e6; --accent: #2563a8; }
@media (prefers-color-scheme: dark) { :root { --ink: #dbe4ec; --paper: #15191e; --soft: #1e252c; --edge: #38434e; --mark: #6b5a12; --new: #1d3a24; --accent: #7db3ea; } }
body { margin: 0; font: 14px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
header { display: flex; gap: 1rem; align-items: baseline; padding: .6rem 1rem; border-bottom: 1px solid var(--edge); position: sticky; top: 0; background: var(--paper); z-index: 2; flex-wrap: wrap; }
h1 { font-size: 1.1rem; margin: 0; } h2 { font-size: 1rem; } h3 { font-size: .9rem; margin: .2rem 0; } small, .line { color: #7b8894; font-weight: normal; }
section { padding: 0 1rem 1rem; }
pre { font: 12px/1.5 ui-monospace, monospace; margin: 0; white-space: pre; }
nav button { font: inherit; border: 1px solid var(--edge); background: var(--soft); color: inherit; border-radius: 4px; padding: .15rem .6rem; cursor: pointer; }
nav button[aria-selected=true] { background: var(--accent); color: var(--paper); }
.columns { display: flex; gap: .6rem; overflow-x: auto; align-items: flex-start; }
.column { flex: none; max-width: 46rem; max-height: 82vh; overflow: auto; border: 1px solid var(--edge); border-radius: 4px; padding: .3rem .5rem; background: var(--soft); }
.row { display: inline-block; min-width: 100%; } .row.new { background: var(--new); }
.value { cursor: pointer; color: var(--accent); } .value.on { background: var(--mark); border-radius: 2px; }
.row:has(.value.on) { outline: 1px solid var(--mark); }
table { border-collapse: collapse; } td, th { padding: .1rem .6rem .1rem 0; text-align: right; font-variant-numeric: tabular-nums; } td:first-child, th:first-child, td.text { text-align: left; }
`;

const script = `
document.addEventListener('click', (event) => {
  const value = event.target.closest?.('.value');
  if (!value) return;
  const scope = value.closest('section') ?? document;
  const isOn = value.classList.contains('on');
  for (const other of scope.querySelectorAll('.value.on')) other.classList.remove('on');
  if (isOn) return;
  for (const other of scope.querySelectorAll('.value[data-value="' + CSS.escape(value.dataset.value) + '"]')) other.classList.add('on');
});
`;

export type PageParts = { readonly style?: string; readonly script?: string; readonly header?: string };

export const page = (title: string, body: string, parts: PageParts = {}): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>${escaped(title)}</title>
<style>${style}${parts.style ?? ''}</style>
</head>
<body>
<header><h1>${escaped(title)}</h1>${parts.header ?? ''}</header>
${body}
<script>${script}${parts.script ?? ''}</script>
</body>
</html>
`;
