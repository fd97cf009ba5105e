/** What is wrong in the release with the bug: one line of one source of the normalizer. */
export const UNIT_BUG = {
  source: 'packages/normalize/src/transcode/units.ts',
  line: "['ms', over('s', 1e3)],",
  instead: "['ms', over('s', 1e6)],",
} as const;

/** By what the bug divides milliseconds to make seconds of them, and by what it should. */
export const BUG_DIVISOR = 1e6;
export const RIGHT_DIVISOR = 1e3;

/** The source with the bug in it. @throws where the line that it is put in does not stand there once */
export function withBug(source: string): string {
  const parts = source.split(UNIT_BUG.line);
  if (parts.length !== 2) throw new Error(`${UNIT_BUG.source} has not the line ${UNIT_BUG.line} once`);
  return parts.join(UNIT_BUG.instead);
}
