import type { WireReader } from '@weir/otlp';

/** Where the parts that items share lie in the export at hand. Ranges are [start, end) in the reader's buffer. */
export class Origin {
  tenant: Buffer = Buffer.alloc(0);
  retentionDays = 0;
  receivedLo = 0;
  receivedHi = 0;
  readonly resource = new Range();
  readonly resourceSchemaUrl = new Range();
  readonly serviceName = new Range();
  readonly scope = new Range();
  readonly scopeSchemaUrl = new Range();
  readonly scopeName = new Range();
  readonly scopeVersion = new Range();
  scopeDroppedAttributes = 0;
  /** Grow by one with each resource and each scope; what was encoded for an older one is stale. */
  resourceNumber = 0;
  scopeNumber = 0;
}

/** A run of bytes in the export. */
export class Range {
  start = 0;
  end = 0;

  set(start: number, end: number): void {
    this.start = start;
    this.end = end;
  }

  clear(): void {
    this.start = 0;
    this.end = 0;
  }
}

const FIELD_1 = (1 << 3) | 2;
const SCHEMA_URL = (3 << 3) | 2;
const SCOPE_VERSION = (2 << 3) | 2;
const DROPPED_COUNT = (4 << 3) | 0;
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
  return findServiceName(reader, origin);
}

/** Reads what the items of the ScopeX message up to `end` share. */
export function readScope(reader: WireReader, end: number, origin: Origin): boolean {
  origin.scopeNumber++;
  if (!readHead(reader, end, origin.scope, origin.scopeSchemaUrl)) return false;
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

/** ServiceName is the text of the resource attribute service.name; empty where it is missing or not a string. */
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
    if (stop < 0 || !matchServiceName(reader, stop, origin.serviceName)) return false;
  }
  reader.pos = back;
  return true;
}

function matchServiceName(reader: WireReader, end: number, found: Range): boolean {
  let named = false;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag < 0) return false;
    if ((tag & 7) !== 2) {
      if (!reader.skip(tag & 7, end)) return false;
      continue;
    }
    const stop = reader.length(end);
    if (stop < 0) return false;
    if (tag === FIELD_1) named = equals(reader.buf, reader.pos, stop, SERVICE_NAME);
    else if (named && stop > reader.pos && reader.buf[reader.pos] === FIELD_1) {
      reader.pos++;
      const textEnd = reader.length(stop);
      if (textEnd < 0) return false;
      found.set(reader.pos, textEnd);
    }
    reader.pos = stop;
  }
  return true;
}

function equals(buf: Uint8Array, start: number, end: number, expected: Uint8Array): boolean {
  if (end - start !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) if (buf[start + i] !== expected[i]) return false;
  return true;
}
