import { cpus } from 'node:os';
import type { Campaign } from './campaign.ts';
import { JSON_RULES } from './otlp-json.ts';
import { STRICT_RULES } from './strict-walk.ts';
import type { Target } from './target.ts';

const count = (value: number) => value.toLocaleString('en-US');

/** bench/results/fuzz.md out of one run. */
export function renderReport(targets: readonly Target[], done: readonly Campaign[], guided: boolean): string {
  const total = done.reduce((sum, { cases }) => sum + cases, 0);
  const seconds = done.reduce((sum, one) => sum + one.seconds, 0);
  const different = done.reduce((sum, { failures }) => sum + failures.length, 0);
  const lines = done.map((one) => {
    const share = Math.round(one.cases / one.seconds);
    const kept = guided ? `${count(one.kept)} | ${count(one.covered)}` : 'not guided | -';
    return `| ${one.target} | ${one.seed} | ${count(one.cases)} | ${one.seconds.toFixed(0)} | ${count(share)} | ${one.seeds} | ${kept} | ${one.slowestMs.toFixed(0)} | ${one.failures.length} |`;
  });
  return `# Fuzzing

Written by \`npm run fuzz -- --report\` from the run itself: ${count(total)} cases in ${seconds.toFixed(0)} s of one process on a machine of ${cpus().length}
cores that did other work meanwhile; ${count(different)} differences between the code and its oracle.

| target | seed | cases | seconds | cases/s | seeds | kept for new coverage | characters covered | slowest case ms | differences |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${lines.join('\n')}

"covered" is characters of the sources of packages/otlp, packages/native, packages/normalize and services/edge in blocks that ran in this
or an earlier target of the run.

## What is compared

${targets.map(({ name, oracle }) => `- **${name}**: ${oracle}.`).join('\n')}

Seeds are the official samples and generated exports of all three signals. Three mutants in four are changed along their structure (wire types,
lengths, fields doubled, removed, moved, renumbered and spliced from another export, values on their bounds, unknown fields and groups, values nested
to about the limit, needlessly long varints), the rest, and some of these, byte by byte.

## What came of the cases

${done.map(renderTally).join('\n\n')}

## Known differences from the official decoder

On the wire these are refused by rule, and an independent walk along the official descriptors finds the rule in each case:

${list(STRICT_RULES)}

A message that may stand once and stands more than once is merged by protobuf; in rows the last one counts. No encoder writes that. Such cases are
compared by their counts, not by their cells. UTF-8 (strings must be valid) and depth (100 messages) are the same in both.

In JSON:

${list(JSON_RULES)}

## Coverage

Blocks are counted by V8's own precise coverage (node:inspector), which sees the TypeScript sources as they are; a case that runs what none before
ran is mutated further. @jazzer.js/core 4.0.0 was tried first: it is kept and has an ESM loader, but its native part needs glibc 2.38 and did
not load on glibc 2.36, nor did that of 1.6.0, and of 2.1.0 no built one was found. By its source, its loader instruments modules of the format
"module" only, and so none whose types Node strips.
`;
}

function renderTally({ target, tally }: Campaign): string {
  const rows = Object.entries(tally).sort(([, a], [, b]) => b - a);
  return `| ${target} | cases |\n| --- | ---: |\n${rows.map(([name, cases]) => `| ${name} | ${count(cases)} |`).join('\n')}`;
}

function list(rules: Readonly<Record<string, string>>): string {
  return Object.entries(rules)
    .map(([name, rule]) => `- \`${name}\`: ${rule}`)
    .join('\n');
}
