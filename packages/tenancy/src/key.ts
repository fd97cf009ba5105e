import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** A key as it is given out once: `wk_<prefix>_<secret>`. */
export interface NewKey {
  readonly key: string;
  /** Public part, for finding the key; never secret. */
  readonly prefix: string;
}

const KEY = /^wk_([0-9a-z]{8})_([0-9A-Za-z_-]{43})$/;
const PREFIX_BYTES = 5;
const SECRET_BYTES = 32;
const PEPPER_BYTES_MIN = 32;
const PLACEHOLDERS =
  /change.?(me|it|this)|example|placeholder|secret|password|pepper|test|dummy|default|insecure|replace|sample|0123456789|abcdefgh/i;
/** A short text over and over has no more in it than once. */
const REPEATED = /^(.{1,16})\1+$/s;

/** Makes a key of 256 random bits. */
export function createKey(random: (size: number) => Buffer = randomBytes): NewKey {
  const prefix = random(PREFIX_BYTES).toString('hex').slice(0, 8);
  return { key: `wk_${prefix}_${random(SECRET_BYTES).toString('base64url')}`, prefix };
}

/** The public prefix of a key, or undefined where the text has not the form of one. */
export function keyPrefix(key: string): string | undefined {
  return KEY.exec(key)?.[1];
}

/** HMAC-SHA256 of a key under the pepper, as 64 hex digits. A stolen list of hashes is useless without the pepper. */
export function hashKey(key: string, pepper: string): string {
  return createHmac('sha256', pepper).update(key).digest('hex');
}

/** Compares two hashes in a time that does not depend on where they differ. */
export function hashesEqual(a: string, b: string): boolean {
  const left = Buffer.from(a, 'hex');
  const right = Buffer.from(b, 'hex');
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Why a pepper may not be used, or undefined where it may. */
export function pepperFault(pepper: string): string | undefined {
  if (Buffer.byteLength(pepper) < PEPPER_BYTES_MIN) return `the pepper must have at least ${PEPPER_BYTES_MIN} bytes`;
  if (PLACEHOLDERS.test(pepper) || REPEATED.test(pepper))
    return 'the pepper looks like a placeholder; take 32 random bytes';
  return undefined;
}
