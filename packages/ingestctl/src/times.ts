import { UsageError } from './outside.ts';

const NS_PER_MS = 1_000_000n;
/** RFC 3339 with a zone, so that nobody has to guess; seconds may be left out, and a fraction has up to nine digits. */
const MOMENT = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;
const AGO = /^(\d{1,6})(s|m|h|d)$/;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The forms, for the help. */
export const TIME_FORMS = '2026-11-21T10:00:00Z, or 30m for so long ago (s, m, h, d)';

/**
 * A time as an operator writes it, ns since the epoch: RFC 3339 with its zone, or so long before now.
 * @param option what it was given for, with other forms that it takes, for the message
 * @throws UsageError
 */
export function readTime(option: string, text: string, nowNs: bigint): bigint {
  const ago = AGO.exec(text);
  if (ago !== null) return nowNs - BigInt(Number(ago[1]) * UNIT_MS[ago[2]!]!) * NS_PER_MS;
  const [, day = '', time = '', fraction = '', zone = ''] = MOMENT.exec(text) ?? [];
  const ms = Date.parse(`${day}T${time}${zone}`);
  if (Number.isNaN(ms) || !isDay(day)) {
    throw new UsageError(
      `${option} must be a time with its zone, such as 2026-11-21T10:00:00Z, or 30m for so long ago`,
    );
  }
  return BigInt(ms) * NS_PER_MS + BigInt(fraction.padEnd(9, '0') || 0);
}

/** Whether the calendar has it: there are engines that take 30 February for 2 March. */
function isDay(day: string): boolean {
  const ms = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

/** A time as it is shown, to the microsecond below it; one that no calendar has as the number that it is. */
export function timeText(ns: bigint): string {
  const ms = Number(ns / NS_PER_MS);
  if (ns < 0n || ms > 8.64e15) return String(ns);
  const micros = String((ns / 1_000n) % 1_000n).padStart(3, '0');
  return `${new Date(ms).toISOString().slice(0, -1)}${micros}Z`;
}
