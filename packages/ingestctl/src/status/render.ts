import { printable } from '../output.ts';
import type { StageReport, StatusReport } from './report.ts';

const ESCAPE = '\u001b';
const BAR_CELLS = 10;
const COLOUR = { red: 31, green: 32, yellow: 33 } as const;

/** The pipe as a table, from the edge down to ClickHouse; coloured only for a terminal. */
export function renderStatus({ stages, faults }: StatusReport, terminal: boolean): string {
  const paint = (text: string, colour: keyof typeof COLOUR) =>
    terminal ? `${ESCAPE}[${COLOUR[colour]}m${text}${ESCAPE}[0m` : text;
  const headings = ['track', 'stage', 'state', 'per second', 'fill', 'lag', ''];
  const cells = stages.map((stage) => [
    stage.track,
    stage.state === 'topic' ? `  ${stage.stage}` : stage.stage,
    stage.state,
    `${Math.round(stage.perSecond).toLocaleString('en')} ${stage.unit}`,
    stage.fill === null ? '' : bar(stage.fill),
    stage.lag === null ? '' : stage.lag.toLocaleString('en'),
    stage.notes.join(', '),
  ]);
  const safe = [headings, ...cells].map((row) => row.map(printable));
  const widths = headings.map((_, column) => Math.max(...safe.map((row) => row[column]?.length ?? 0)));
  const lines = safe.map((row, index) =>
    row
      .map((cell, column) => {
        const padded =
          column === 3 || column === 5 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
        return colourOf(stages[index - 1], column, padded, paint);
      })
      .join('  ')
      .trimEnd(),
  );
  for (const fault of faults) lines.push(paint(printable(fault), 'red'));
  return `${lines.join('\n')}\n`;
}

function colourOf(
  stage: StageReport | undefined,
  column: number,
  text: string,
  paint: (text: string, colour: keyof typeof COLOUR) => string,
): string {
  if (stage === undefined) return text;
  if (column === 2 && stage.state !== 'topic') {
    return paint(text, stage.state === 'down' || stage.state.includes('/') ? 'red' : 'green');
  }
  if (column !== 4 || stage.fill === null) return text;
  return paint(text, stage.fill >= 1 ? 'red' : stage.fill >= 0.9 ? 'yellow' : 'green');
}

function bar(fill: number): string {
  const full = Math.min(BAR_CELLS, Math.round(fill * BAR_CELLS));
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_CELLS - full)}] ${Math.round(fill * 100)} %`;
}
