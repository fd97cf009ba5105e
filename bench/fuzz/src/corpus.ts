import { SIGNALS, type SignalKind } from '@weir/pipeline';
import {
  decodeJsonExport,
  encodeExport,
  exportRequest,
  type OracleRequestInit,
  REQUEST_SCHEMAS,
  readSample,
  SAMPLES,
} from '@weir/testkit';
import fc from 'fast-check';
import type { Chance } from './chance.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { mutateWire } from './mutate-wire.ts';
import type { Case } from './target.ts';

const GENERATED = 80;
/** Generated exports above this are seeds only in parts: many small cases find more than a few large ones. */
const WHOLE_BYTES_MAX = 1_500;
const PARTS_MAX = 150;
/** Larger mutants are cut off: a case should be quick. */
const BYTES_MAX = 64 * 1024;

/** The official samples, and generated exports of each signal. */
export function seedExports(chance: Chance): Case[] {
  const samples = SAMPLES.map(({ name, signal }) => {
    const init = decodeJsonExport(signal, readSample(name)) as OracleRequestInit<SignalKind>;
    return { signal, bytes: Buffer.from(encodeExport(signal, init)), option: 0 };
  });
  const generated = SIGNALS.flatMap((signal) => {
    const inits = fc.sample(exportRequest(signal), { seed: chance.int(2 ** 31), numRuns: GENERATED });
    const whole = inits.map((init) => encodeExport(signal, init)).filter(({ length }) => length <= WHOLE_BYTES_MAX);
    const parts = inits.flatMap((init) => partsOf(signal, init)).slice(0, PARTS_MAX);
    return [...whole, ...parts].map((bytes) => ({ signal, bytes: Buffer.from(bytes), option: 0 }));
  });
  return [...samples, ...generated];
}

/** Lists of resources, scopes and items. */
const LISTS = {
  traces: ['resourceSpans', 'scopeSpans', 'spans'],
  logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
  metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
} as const;

type Lists = Record<string, object[]>;

/** An export of each of its items alone, a metric's points together. */
function partsOf(signal: SignalKind, init: object): Uint8Array[] {
  const [resources, scopes, items] = LISTS[signal];
  const listOf = (one: object, name: string) => (one as Lists)[name] ?? [];
  return listOf(init, resources).flatMap((resource) =>
    listOf(resource, scopes).flatMap((scope) =>
      listOf(scope, items).map((item) =>
        encodeExport(signal, { [resources]: [{ ...resource, [scopes]: [{ ...scope, [items]: [item] }] }] }),
      ),
    ),
  );
}

/** A changed export: mostly along its structure, else its bytes, now and then both. */
export function mutateExport(chance: Chance, from: readonly Case[]): Case {
  const { signal, bytes } = chance.pick(from);
  const alike = from.filter((one) => one.signal === signal || chance.oneIn(20));
  const other = (alike.length > 0 ? chance.pick(alike) : chance.pick(from)).bytes;
  let mutant: Buffer | undefined;
  if (!chance.oneIn(4)) mutant = mutateWire(chance, REQUEST_SCHEMAS[signal], bytes, other);
  if (mutant === undefined || chance.oneIn(4)) mutant = mutateBytes(chance, mutant ?? bytes, other);
  return { signal, bytes: mutant.subarray(0, BYTES_MAX), option: chance.int(2 ** 16) };
}
