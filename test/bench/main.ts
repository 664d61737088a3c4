// `npm run bench`: times beside their aims. `--only NAME` runs one case, `--json FILE` writes the numbers down as well.
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { cases, type Row } from './cases.ts';

const { values } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'string' } } });
const names = values.only === undefined ? Object.keys(cases) : [values.only];
const unknown = names.find((name) => !Object.hasOwn(cases, name));
if (unknown !== undefined) {
  console.error(`bench: there is no case '${unknown}'; there are ${Object.keys(cases).join(', ')}`);
  process.exit(2);
}

const machine = `${cpus()[0]?.model.trim() ?? 'unknown'}, Node ${process.versions.node}`;
console.log(machine);
const results: Record<string, Row[]> = {};
for (const name of names) {
  console.log(`\n${name}`);
  const rows = cases[name]!();
  for (const { what, value, unit, aim } of rows)
    console.log(`  ${what.padEnd(62)} ${figures(value).padStart(8)} ${unit.padEnd(8)}${aim === undefined ? '' : ` aim ${aim}`}`.trimEnd());
  results[name] = rows;
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ machine, results }, undefined, 2)}\n`);

/** Three significant figures, without an exponent. */
function figures(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value.toPrecision(3);
}
