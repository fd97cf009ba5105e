/** One row of bars, laid end to end. */
export interface BarRow {
  readonly label: string;
  readonly segments: readonly { readonly name: string; readonly value: number }[];
  /** Of the whole row, drawn as a line; left out where there is one value. */
  readonly range?: { readonly min: number; readonly max: number };
}

export interface BarChart {
  readonly title: string;
  readonly unit: string;
  readonly rows: readonly BarRow[];
}

const COLOURS = ['#4878a8', '#e08a3c', '#6aa56e', '#b65d6b', '#8c7ab8', '#7a7a7a'];
const [WIDTH, LABEL, VALUE, ROW, BAR, TOP, LEGEND] = [760, 170, 90, 34, 20, 44, 30];
const TEXT = 'font-family="sans-serif" font-size="12"';

/** Bars as an SVG file: nothing but rectangles, lines and text. Values are never negative. */
export function renderBars({ title, unit, rows }: BarChart): string {
  const names = [...new Set(rows.flatMap(({ segments }) => segments.map(({ name }) => name)))];
  const ends = rows.map((row) => Math.max(sum(row), row.range?.max ?? 0));
  const top = niceCeiling(Math.max(...ends, 0));
  const scale = (value: number) => LABEL + (value / top) * (WIDTH - LABEL - VALUE);
  const height = TOP + rows.length * ROW + LEGEND + 20;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="10" y="20" font-family="sans-serif" font-size="14" font-weight="bold">${escapeText(title)}</text>`,
    ...axis(top, unit, scale, TOP + rows.length * ROW),
    ...rows.flatMap((row, index) => renderRow(row, TOP + index * ROW, names, scale)),
    ...(names.length > 1 ? legend(names, height - 14) : []),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

function sum({ segments }: BarRow): number {
  return segments.reduce((total, { value }) => total + value, 0);
}

function renderRow(row: BarRow, y: number, names: readonly string[], scale: (value: number) => number): string[] {
  const out = [`<text x="${LABEL - 8}" y="${y + 15}" ${TEXT} text-anchor="end">${escapeText(row.label)}</text>`];
  let from = 0;
  for (const { name, value } of row.segments) {
    const [x, width] = [scale(from), scale(from + value) - scale(from)];
    const colour = COLOURS[names.indexOf(name) % COLOURS.length];
    const tip = `<title>${escapeText(`${name}: ${brief(value)}`)}</title>`;
    out.push(`<rect x="${fixed(x)}" y="${y}" width="${fixed(width)}" height="${BAR}" fill="${colour}">${tip}</rect>`);
    from += value;
  }
  let end = scale(from);
  if (row.range !== undefined) {
    const [low, high] = [scale(row.range.min), scale(row.range.max)];
    const middle = y + BAR / 2;
    out.push(
      `<path d="M${fixed(low)} ${middle}H${fixed(high)}M${fixed(low)} ${middle - 4}v8M${fixed(high)} ${middle - 4}v8" stroke="#222222" fill="none"/>`,
    );
    end = Math.max(end, high);
  }
  out.push(`<text x="${fixed(end + 6)}" y="${y + 15}" ${TEXT}>${brief(from)}</text>`);
  return out;
}

function axis(top: number, unit: string, scale: (value: number) => number, y: number): string[] {
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => share * top);
  const lines = ticks.flatMap((tick) => [
    `<path d="M${fixed(scale(tick))} ${TOP - 8}V${y - 8}" stroke="#dddddd"/>`,
    `<text x="${fixed(scale(tick))}" y="${y + 8}" ${TEXT} fill="#555555" text-anchor="middle">${brief(tick)}</text>`,
  ]);
  return [
    ...lines,
    `<text x="${WIDTH - 10}" y="20" ${TEXT} fill="#555555" text-anchor="end">${escapeText(unit)}</text>`,
  ];
}

function legend(names: readonly string[], y: number): string[] {
  return names.flatMap((name, index) => {
    const x = LABEL + index * 110;
    return [
      `<rect x="${x}" y="${y - 10}" width="12" height="12" fill="${COLOURS[index % COLOURS.length]}"/>`,
      `<text x="${x + 17}" y="${y}" ${TEXT}>${escapeText(name)}</text>`,
    ];
  });
}

/** The next of 1, 2, 4, 5, 8 times a power of ten, so that its quarters are short. */
export function niceCeiling(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 5, 8, 10].find((factor) => factor * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}

function brief(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
