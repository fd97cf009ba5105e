import type { Outside } from './context.ts';

/** Control characters, which could move a terminal's cursor or forge a line. */
const CONTROL = /\p{Cc}/gu;

/** Colours are for a terminal that knows them, whose user did not refuse them (https://no-color.org). */
export function mayColour(terminal: boolean, env: Outside['env']): boolean {
  return terminal && !env.NO_COLOR && env.TERM !== 'dumb';
}

/** Text that may hold anything, made harmless for a terminal. */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** Prints rows as a table under their headings, or as JSON. */
export function printRows(
  outside: Outside,
  json: boolean,
  headings: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): void {
  if (json) {
    const objects = rows.map((row) => Object.fromEntries(headings.map((heading, i) => [heading, row[i]])));
    outside.out(`${JSON.stringify(objects, null, 2)}\n`);
    return;
  }
  const cells = [headings, ...rows].map((row) => row.map((cell) => printable(String(cell))));
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  for (const row of cells) {
    outside.out(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
}
