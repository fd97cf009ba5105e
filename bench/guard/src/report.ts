import { type Known, SLOWER_MAX, slowerBy } from './known.ts';
import type { Compared } from './measure.ts';

const NAME_WIDTH = 28;

/** The heading of the table that {@link line} fills. */
export function heading(known: Known | undefined): string[] {
  const before = known === undefined ? 'no ratios are known yet' : `known: as kept at ${known.commit}`;
  return [
    `CPU s per million items, ours and the plain way (objects of @bufbuild/protobuf, JSONEachRow); ${before}`,
    `${''.padEnd(NAME_WIDTH)}     ours    plain    ratio    known     MB/s a core`,
  ];
}

/** One line of the report; what got slower than it may is marked. */
export function line(one: Compared, known: Known | undefined): string {
  const before = known?.ratios[one.name];
  const by = slowerBy(one.ratio, before);
  const cells = [one.oursS.toFixed(3), one.referenceS.toFixed(3), one.ratio.toFixed(2), before?.toFixed(2) ?? 'none'];
  const mark = by > SLOWER_MAX ? `  SLOWER by ${(by * 100).toFixed(0)} %` : '';
  return `${one.name.padEnd(NAME_WIDTH)}${cells.map((cell) => cell.padStart(9)).join('')}${one.megabytesPerS.toFixed(0).padStart(9)}${mark}`;
}
