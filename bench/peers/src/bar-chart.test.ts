import { expect, test } from 'vitest';
import { niceCeiling, renderBars } from './bar-chart.ts';

const CHART = {
  title: 'CPU & more',
  unit: 'CPU seconds',
  rows: [
    {
      label: 'Weir <edge>',
      segments: [
        { name: 'first hop', value: 10 },
        { name: 'Kafka', value: 30 },
      ],
      range: { min: 35, max: 45 },
    },
    { label: 'none', segments: [{ name: 'Kafka', value: 0 }] },
  ],
};

/** Numbers of an attribute, in order. */
function numbers(svg: string, pattern: RegExp): number[] {
  return [...svg.matchAll(pattern)].map((match) => Number(match[1]));
}

test('bars lie end to end and are as long as their values', () => {
  const svg = renderBars(CHART);
  const bars = /<rect x="([\d.]+)" y="\d+" width="([\d.]+)" height="20" fill="#\w+"><title>/g;
  const [first, second, none] = [...svg.matchAll(bars)].map((match) => [Number(match[1]), Number(match[2])] as const);
  expect(second![1] / first![1]).toBeCloseTo(3, 1);
  expect(second![0]).toBeCloseTo(first![0] + first![1], 1);
  expect(none![1]).toBe(0);
  const [low] = numbers(svg, /M([\d.]+) \d+H[\d.]+M/g);
  const [high] = numbers(svg, /M[\d.]+ \d+H([\d.]+)M/g);
  expect((high! - first![0]) / (low! - first![0])).toBeCloseTo(45 / 35, 1);
});

test('it is a whole document with its texts escaped and a legend', () => {
  const svg = renderBars(CHART);
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*>[\s\S]*<\/svg>\n$/);
  expect(svg).toContain('>CPU &amp; more</text>');
  expect(svg).toContain('>Weir &lt;edge&gt;</text>');
  expect(svg.match(/>first hop<\/text>/g)).toHaveLength(1);
  expect(renderBars({ ...CHART, rows: [] })).not.toContain('NaN');
});

test.each([
  [0, 1],
  [0.9, 1],
  [1, 1],
  [4.1, 5],
  [43.2, 50],
  [81, 100],
  [123_456, 200_000],
])('the axis for %d ends at %d', (value, end) => expect(niceCeiling(value)).toBe(end));
