import { isDeepStrictEqual } from 'node:util';
import { toBinary } from '@bufbuild/protobuf';
import { createTotals, jsonToProtobuf, Scanner } from '@weir/otlp';
import { decodeExport, encodeJsonExport, REQUEST_SCHEMAS, readSample, SAMPLES } from '@weir/testkit';
import type { Chance } from '../chance.ts';
import { seedExports } from '../corpus.ts';
import { mutateJson } from '../mutate-json.ts';
import { officialJson } from '../otlp-json.ts';
import { SLOW_NS } from '../owner.ts';
import { type Case, Difference, type Target } from '../target.ts';

const scanner = new Scanner();
const totals = createTotals();

function run({ signal, bytes }: Case): string {
  const result = jsonToProtobuf(signal, bytes);
  const official = officialJson(signal, bytes.toString('utf8'));
  if ('refusedBy' in official) {
    if (result.ok) throw new Difference(`taken, although refused by ${official.refusedBy}`);
    return official.refusedBy === 'official' ? 'refused by both' : `refused by rule ${official.refusedBy}`;
  }
  if (!result.ok) throw new Difference(`refused (${result.message}), although it is an export`);
  const theirs = toBinary(REQUEST_SCHEMAS[signal] as never, official.message as never);
  const scanned = scanner.scan(signal, result.bytes, SLOW_NS, totals);
  if (!scanned.ok) throw new Difference(`the scan refuses what came out as ${scanned.reason}`);
  // Compared as messages: fields may stand in another order, and what is empty may be written or not.
  if (isDeepStrictEqual(decodeExport(signal, new Uint8Array(result.bytes)), decodeExport(signal, theirs)))
    return 'taken';
  throw new Difference('another message than the official one');
}

function seeds(chance: Chance): Case[] {
  const samples = SAMPLES.map(({ name, signal }) => ({ signal, bytes: Buffer.from(readSample(name)), option: 0 }));
  const converted = seedExports(chance).map(({ signal, bytes }) => ({
    signal,
    bytes: Buffer.from(encodeJsonExport(signal, bytes)),
    option: 0,
  }));
  return [...samples, ...converted];
}

/** The edge's reader of OTLP/JSON. */
export const JSON_READER: Target = {
  name: 'json',
  oracle:
    'takes exactly what the official fromJson does after the OTLP mapping, and makes the same message of it, which the scan takes',
  seeds,
  mutate: mutateJson,
  run,
};
