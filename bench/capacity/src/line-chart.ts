/** A line of a chart. */
export interface Line {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** What a chart shows. */
export interface Chart {
  readonly title: string;
  readonly xName: string;
  readonly yName: string;
  readonly lines: readonly Line[];
  /** Upright lines, with a word beside each. */
  readonly marks: readonly { readonly x: number; readonly name: string }[];
}

const WIDTH = 800;
const HEIGHT = 420;
const LEFT = 80;
const RIGHT = 30;
const TOP = 50;
const BOTTOM = 60;
const STYLE = 'font-family="sans-serif" font-size="13" fill="#333"';

/** An SVG with y on a logarithmic scale: latencies that grow tenfold stay readable beside those that do not. */
export function lineChart({ title, xName, yName, lines, marks }: Chart): string {
  const all = lines.flatMap(({ points }) => points);
  const xMax = Math.max(1, ...all.map(([x]) => x), ...marks.map(({ x }) => x)) * 1.05;
  const ys = all.map(([, y]) => Math.log10(Math.max(0.1, y)));
  const [low, high] = [Math.floor(Math.min(0, ...ys)), Math.ceil(Math.max(1, ...ys))];
  const px = (x: number) => LEFT + (x / xMax) * (WIDTH - LEFT - RIGHT);
  const py = (y: number) =>
    HEIGHT - BOTTOM - ((Math.log10(Math.max(0.1, y)) - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(WIDTH / 2, 24, title, 'middle'),
    text(WIDTH / 2, HEIGHT - 16, xName, 'middle'),
    text(8, TOP - 10, yName, 'start'),
  ];
  for (let power = low; power <= high; power++) {
    const y = py(10 ** power);
    out.push(stroke(LEFT, y, WIDTH - RIGHT, y, '#ddd'), text(LEFT - 8, y + 4, String(10 ** power), 'end'));
  }
  for (const x of ticks(xMax)) {
    out.push(stroke(px(x), HEIGHT - BOTTOM, px(x), HEIGHT - BOTTOM + 5, '#333'));
    out.push(text(px(x), HEIGHT - BOTTOM + 20, x.toLocaleString('en'), 'middle'));
  }
  for (const { x, name } of marks) {
    out.push(stroke(px(x), TOP, px(x), HEIGHT - BOTTOM, '#888', '4 4'), text(px(x) - 5, TOP + 12, name, 'end'));
  }
  for (const [index, { name, colour, points }] of lines.entries()) {
    const path = points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`);
    out.push(`<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const at of path) {
      const [cx, cy] = at.split(',');
      out.push(`<circle cx="${cx}" cy="${cy}" r="3.5" fill="${colour}"/>`);
    }
    out.push(`<rect x="${LEFT + 12}" y="${TOP + index * 20}" width="12" height="12" fill="${colour}"/>`);
    out.push(text(LEFT + 30, TOP + 11 + index * 20, name, 'start'));
  }
  return `${out.join('\n')}\n</svg>\n`;
}

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end'): string {
  const safe = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" ${STYLE}>${safe}</text>`;
}

function stroke(x1: number, y1: number, x2: number, y2: number, colour: string, dashes = ''): string {
  const dashed = dashes === '' ? '' : ` stroke-dasharray="${dashes}"`;
  return `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${colour}"${dashed}/>`;
}

/** About six round numbers up to the largest. */
function ticks(max: number): number[] {
  const rough = max / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? rough;
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, index) => index * step);
}
