import { Bytes, StringColumn } from '@weir/native';
import { CONVENTIONS_SCHEMA_URL, conventionsOf, type Upgrade, upgradeFrom, WIRE, type WireReader } from '@weir/otlp';
import { pushAnyValue, textOf } from './any-value.ts';
import type { RenameCount } from './renamed-keys.ts';

/** Where the parts that items share lie in the export at hand. Ranges are [start, end) in the reader's buffer. */
export class Origin {
  tenant: Buffer = Buffer.alloc(0);
  retentionDays = 0;
  receivedLo = 0;
  receivedHi = 0;
  /** Days since the epoch. */
  receivedDay = 0;
  positionLo = 0;
  positionHi = 0;
  readonly resource = new Range();
  readonly resourceSchemaUrl = new Range();
  /** The text of the first resource attribute service.name; empty where there is none. */
  readonly serviceName = new Bytes(256);
  readonly scope = new Range();
  readonly scopeSchemaUrl = new Range();
  readonly scopeName = new Range();
  readonly scopeVersion = new Range();
  scopeDroppedAttributes = 0;
  /** Whether the tenant wants its names brought up to date, and of which version those are that do not say. */
  conventions: Conventions | undefined;
  /** What has been renamed since the conventions of the resource, and of the scope's items; undefined: nothing to be done. */
  resourceUpgrade: Upgrade | undefined;
  scopeUpgrade: Upgrade | undefined;
  readonly renamed: RenameCount = { names: 0 };
  /** Grow by one with each resource and each scope; what was encoded for an older one is stale. */
  resourceNumber = 0;
  scopeNumber = 0;
  /** Scratch of the search for service.name. */
  readonly key = new Range();
  readonly value = new Range();
  readonly text = new StringColumn();

  /** Bytes of the export that every row of the item's scope repeats. */
  get sharedBytes(): number {
    return this.resource.size + this.resourceSchemaUrl.size + this.scope.size + this.scopeSchemaUrl.size;
  }
}

/** Upgrade of a tenant's names; `assume` is the version of what has no schema URL that is known. */
export interface Conventions {
  readonly assume?: string | undefined;
}

/** A run of bytes in the export. */
export class Range {
  start = 0;
  end = 0;

  set(start: number, end: number): void {
    this.start = start;
    this.end = end;
  }

  get size(): number {
    return this.end - this.start;
  }

  clear(): void {
    this.start = 0;
    this.end = 0;
  }
}

const FIELD_1 = (1 << 3) | WIRE.bytes;
const FIELD_2 = (2 << 3) | WIRE.bytes;
const SCHEMA_URL = (3 << 3) | WIRE.bytes;
const SCOPE_VERSION = FIELD_2;
const DROPPED_COUNT = (4 << 3) | WIRE.varint;
const SERVICE_NAME = Buffer.from('service.name');

/**
 * Finds the head (resource or scope) and the schema URL of a ResourceX or ScopeX message, which may stand behind its
 * items. The position is left where it was.
 */
function readHead(reader: WireReader, end: number, head: Range, schemaUrl: Range): boolean {
  const start = reader.pos;
  head.clear();
  schemaUrl.clear();
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return false;
    if (tag !== FIELD_1 && tag !== SCHEMA_URL) {
      if (!reader.skip(tag & 7, end)) return false;
      continue;
    }
    const stop = reader.length(end);
    if (stop < 0) return false;
    (tag === FIELD_1 ? head : schemaUrl).set(reader.pos, stop);
    reader.pos = stop;
  }
  reader.pos = start;
  return true;
}

/** Reads what the items of the ResourceX message up to `end` share. */
export function readResource(reader: WireReader, end: number, origin: Origin): boolean {
  origin.resourceNumber++;
  if (!readHead(reader, end, origin.resource, origin.resourceSchemaUrl)) return false;
  origin.resourceUpgrade = upgradeOf(reader, origin.resourceSchemaUrl, origin.conventions);
  return findServiceName(reader, origin);
}

/** Reads what the items of the ScopeX message up to `end` share. */
export function readScope(reader: WireReader, end: number, origin: Origin): boolean {
  origin.scopeNumber++;
  if (!readHead(reader, end, origin.scope, origin.scopeSchemaUrl)) return false;
  origin.scopeUpgrade = upgradeOf(reader, origin.scopeSchemaUrl, origin.conventions);
  origin.scopeName.clear();
  origin.scopeVersion.clear();
  origin.scopeDroppedAttributes = 0;
  const back = reader.pos;
  const stop = origin.scope.end;
  reader.pos = origin.scope.start;
  while (reader.pos < stop) {
    const tag = reader.tag(stop);
    if (tag < 0) return false;
    if (tag === DROPPED_COUNT) {
      origin.scopeDroppedAttributes = reader.varint(stop);
      if (origin.scopeDroppedAttributes < 0) return false;
    } else if (tag === FIELD_1 || tag === SCOPE_VERSION) {
      const fieldEnd = reader.length(stop);
      if (fieldEnd < 0) return false;
      (tag === FIELD_1 ? origin.scopeName : origin.scopeVersion).set(reader.pos, fieldEnd);
      reader.pos = fieldEnd;
    } else if (!reader.skip(tag & 7, stop)) return false;
  }
  reader.pos = back;
  return true;
}

/** Longer ones are none of OpenTelemetry's. */
const SCHEMA_URL_LENGTH_MAX = 64;

function upgradeOf(reader: WireReader, url: Range, conventions: Conventions | undefined): Upgrade | undefined {
  if (conventions === undefined) return undefined;
  const sent = url.size > SCHEMA_URL_LENGTH_MAX ? undefined : conventionsOf(textOf(reader, url.start, url.end));
  const version = sent ?? conventions.assume;
  return version === undefined ? undefined : upgradeFrom(version);
}

const UPGRADED_URL = Buffer.from(CONVENTIONS_SCHEMA_URL);

/** Pushes a schema URL: that of today where the names were brought up to it. */
export function pushSchemaUrl(
  column: { push(source: Uint8Array, start: number, end: number): void },
  reader: WireReader,
  url: Range,
  upgrade: Upgrade | undefined,
): void {
  if (upgrade === undefined) column.push(reader.buf, url.start, url.end);
  else column.push(UPGRADED_URL, 0, UPGRADED_URL.length);
}

function findServiceName(reader: WireReader, origin: Origin): boolean {
  const back = reader.pos;
  const end = origin.resource.end;
  origin.serviceName.clear();
  reader.pos = origin.resource.start;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return false;
    if (tag !== FIELD_1) {
      if (!reader.skip(tag & 7, end)) return false;
      continue;
    }
    const stop = reader.length(end);
    if (stop < 0) return false;
    if (!readPair(reader, stop, origin.key, origin.value)) return false;
    if (!equals(reader.buf, origin.key, SERVICE_NAME)) continue;
    if (!copyText(reader, origin)) return false;
    break;
  }
  reader.pos = back;
  return true;
}

/** Finds key and value of the KeyValue up to `end`; what is missing is empty. */
function readPair(reader: WireReader, end: number, key: Range, value: Range): boolean {
  key.clear();
  value.clear();
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return false;
    if (tag !== FIELD_1 && tag !== FIELD_2) {
      if (!reader.skip(tag & 7, end)) return false;
      continue;
    }
    const stop = reader.length(end);
    if (stop < 0) return false;
    (tag === FIELD_1 ? key : value).set(reader.pos, stop);
    reader.pos = stop;
  }
  return true;
}

/** Makes the text of the value found the service's name. */
function copyText(reader: WireReader, { text, value, serviceName }: Origin): boolean {
  text.clear();
  reader.pos = value.start;
  if (!pushAnyValue(reader, value.end, text)) return false;
  const { buf, length } = text.data;
  let start = 0;
  while (buf[start]! >= 0x80) start++;
  serviceName.copy(buf, start + 1, length);
  return true;
}

function equals(buf: Uint8Array, { start, end }: Range, expected: Uint8Array): boolean {
  if (end - start !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) if (buf[start + i] !== expected[i]) return false;
  return true;
}
