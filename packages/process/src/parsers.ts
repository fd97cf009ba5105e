import { z } from 'zod';

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const DURATION_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|TiB)$/;
const SIZE_BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;
const PORT_MAX = 65_535;

/** A host and a port to listen on or to connect to. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:4317` or `[::1]:4317`. */
export const hostPort = z.string().transform((text, context): HostPort => {
  const at = text.lastIndexOf(':');
  const host = text.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  const port = Number(text.slice(at + 1));
  if (at > 0 && host !== '' && /^\d+$/.test(text.slice(at + 1)) && port <= PORT_MAX) return { host, port };
  context.addIssue({ code: 'custom', message: 'must be HOST:PORT' });
  return z.NEVER;
});

/** `host:9092,host:9092`, at least one. */
export const brokerList = z.string().transform((text, context): readonly string[] => {
  const brokers = text.split(',').map((part) => part.trim());
  if (brokers.every((broker) => hostPort.safeParse(broker).success)) return brokers;
  context.addIssue({ code: 'custom', message: 'must be HOST:PORT,HOST:PORT,…' });
  return z.NEVER;
});

/** `250ms`, `1s`, `5m`, `1h`, `3d` to milliseconds. */
export const durationMs = z.string().transform((text, context): number => {
  const match = DURATION.exec(text);
  if (match !== null) return Number(match[1]) * DURATION_MS[match[2] as keyof typeof DURATION_MS];
  context.addIssue({ code: 'custom', message: 'must be a duration such as 250ms, 1s, 5m, 1h or 3d' });
  return z.NEVER;
});

/** `512B`, `64KiB`, `64MiB`, `1GiB` to bytes. */
export const byteSize = z.string().transform((text, context): number => {
  const match = SIZE.exec(text);
  if (match !== null) return Math.floor(Number(match[1]) * SIZE_BYTES[match[2] as keyof typeof SIZE_BYTES]);
  context.addIssue({ code: 'custom', message: 'must be a size such as 512B, 64KiB, 64MiB or 1GiB' });
  return z.NEVER;
});

/** A size from `min` to `max`, both as they are written. */
export function byteSizeBetween(min: string, max: string) {
  const [least, most] = [byteSize.parse(min), byteSize.parse(max)];
  return byteSize.refine((bytes) => bytes >= least && bytes <= most, { error: `must be from ${min} to ${max}` });
}

/** A duration from `min` to `max`, both as they are written. */
export function durationBetween(min: string, max: string) {
  const [least, most] = [durationMs.parse(min), durationMs.parse(max)];
  return durationMs.refine((ms) => ms >= least && ms <= most, { error: `must be from ${min} to ${max}` });
}

/** A whole number in decimal digits, within bounds. */
export function wholeNumber(min: number, max: number) {
  return z.string().transform((text, context): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    context.addIssue({ code: 'custom', message: `must be a whole number from ${min} to ${max}` });
    return z.NEVER;
  });
}

/** `true` or `false`. */
export const flag = z.enum(['true', 'false'], { error: 'must be true or false' }).transform((text) => text === 'true');
