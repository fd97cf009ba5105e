import type { RawRecord } from '@weir/delivery';
import { inflate } from '@weir/normalize';
import { createTotals, limitFaults, Scanner } from '@weir/otlp';
import { type DlqReason, type Encoding, encodeRejectedItems } from '@weir/records';
import type { Tenant } from '@weir/tenancy';
import type { Letter } from './letters.ts';

/** A letter as an export that goes into the raw log again. */
export interface RawCopy {
  readonly key: string;
  readonly reason: DlqReason;
  readonly record: RawRecord;
}

/** The copy, or why there can be none; in few words, since letters are counted by them. */
export type MadeCopy = { readonly ok: true; readonly copy: RawCopy } | { readonly ok: false; readonly why: string };

/** No body of a raw record has more, decompressed. */
const BODY_BYTES_MAX = 64 * 1024 ** 2;

const scanner = new Scanner();
const totals = createTotals();

/**
 * Makes an export of a letter that has no table, received now. As at an edge, what is over a limit of its tenant as it is now is rejected: it
 * comes back as a letter. Only `activeSeries` is not looked at, since edges alone know what is active.
 */
export function rawCopyOf(
  letter: Letter,
  tenantOf: (name: string) => Tenant | undefined,
  receivedAtNs: bigint,
): MadeCopy {
  const { meta, value } = letter;
  if (meta.tenant === '') return { ok: false, why: 'it is not known whose it is' };
  const tenant = tenantOf(meta.tenant);
  if (tenant === undefined) return { ok: false, why: 'there is no such tenant' };
  const encoding = encodingOf(value);
  const body = decompressed(value, encoding);
  if (body === undefined) return { ok: false, why: 'it cannot be decompressed' };
  const limits = itemLimits(tenant, receivedAtNs);
  if (!scanner.scan(meta.signal, body, tenant.slowThresholdNs, totals, limits).ok) {
    return { ok: false, why: 'it is not an export of OTLP' };
  }
  const { items, errorItems, slowItems } = totals;
  if (items === 0 || items !== meta.items) return { ok: false, why: 'it has not the items that it should' };
  const faults = limitFaults(totals, 0, items);
  const rejected = faults === undefined ? undefined : encodeRejectedItems(faults);
  const { signal } = meta;
  const what = { tenant: tenant.name, signal, encoding, priority: errorItems + slowItems > 0, items, rejected };
  const record = { meta: { ...what, bytes: body.length, receivedAtNs }, value };
  return { ok: true, copy: { key: letter.key, reason: meta.reason, record } };
}

/** A letter does not say how it is compressed, but no export begins as these do. */
function encodingOf(value: Buffer): Encoding {
  if (value[0] === 0x1f && value[1] === 0x8b) return 'gzip';
  return value.length >= 4 && value.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : 'identity';
}

/** A letter does not say how much it was either. */
function decompressed(value: Buffer, encoding: Encoding): Buffer | undefined {
  return inflate(value, encoding, 0, BODY_BYTES_MAX);
}

/** The bytes of a letter as they were before they were compressed; undefined where they are not what they begin as. */
export function plainOf({ value }: Letter): { readonly encoding: Encoding; readonly body: Buffer | undefined } {
  const encoding = encodingOf(value);
  return { encoding, body: decompressed(value, encoding) };
}

function itemLimits({ limits, windowNs }: Tenant, receivedAtNs: bigint) {
  const { perItem, keyBytes, valueBytes } = limits.attributes;
  const nowNs = Number(receivedAtNs);
  return {
    attributesMax: perItem,
    keyBytesMax: keyBytes,
    valueBytesMax: valueBytes,
    timeMinNs: nowNs - windowNs.past,
    timeMaxNs: nowNs + windowNs.future,
    series: undefined,
  };
}
