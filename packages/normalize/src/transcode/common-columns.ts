import { Column64, type Columns, LowCardinalityColumn, MapColumn, SmallColumn, StringColumn } from '@weir/native';
import type { WireReader } from '@weir/otlp';
import { RepeatedAttributes } from './attributes.ts';
import type { Origin } from './origin.ts';

const RESOURCE_ATTRIBUTES = 1;
const SCOPE_ATTRIBUTES = 3;

/** The columns that every telemetry table has: tenant, retention, day of receipt, raw position, service, resource, scope name and version. */
export class CommonColumns {
  readonly tenantId = new LowCardinalityColumn();
  readonly retentionDays = new SmallColumn('UInt16');
  readonly receivedDay = new SmallColumn('Date');
  readonly rawPosition = new Column64('UInt64');
  readonly serviceName = new LowCardinalityColumn();
  readonly resourceAttributes = new MapColumn();
  readonly scopeName = new StringColumn();
  readonly scopeVersion: StringColumn | LowCardinalityColumn;
  readonly #resource = new RepeatedAttributes(this.resourceAttributes);
  #resourceNumber = -1;
  #scopeNumber = -1;
  #tenantOf = -1;
  #tenantRow = 0;
  #serviceRow = 0;
  #scopeNameBytes = 0;
  #scopeVersionBytes = 0;
  /** Rows like the last that are not in the columns yet. */
  #more = 0;

  constructor(scopeVersion: StringColumn | LowCardinalityColumn) {
    this.scopeVersion = scopeVersion;
  }

  /** Adds one row: to the columns at the latest with {@link settle}, as all rows of a scope are alike. False once the reader has a fault. */
  push(reader: WireReader, origin: Origin): boolean {
    if (this.#scopeNumber === origin.scopeNumber) {
      this.#more++;
      return true;
    }
    this.settle();
    this.#scopeNumber = origin.scopeNumber;
    const { buf } = reader;
    const { scopeName, scopeVersion } = origin;
    const nameAt = this.scopeName.bytes;
    const versionAt = this.scopeVersion.bytes;
    this.scopeName.push(buf, scopeName.start, scopeName.end);
    this.scopeVersion.push(buf, scopeVersion.start, scopeVersion.end);
    this.#scopeNameBytes = this.scopeName.bytes - nameAt;
    this.#scopeVersionBytes = this.scopeVersion.bytes - versionAt;
    this.retentionDays.push(origin.retentionDays);
    this.receivedDay.push(origin.receivedDay);
    this.rawPosition.push(origin.positionLo, origin.positionHi);
    return this.#pushResource(reader, origin);
  }

  #pushResource(reader: WireReader, origin: Origin): boolean {
    if (this.#resourceNumber === origin.resourceNumber) {
      this.tenantId.pushId(this.#tenantRow);
      this.serviceName.pushId(this.#serviceRow);
      this.#resource.repeat(1);
      return true;
    }
    this.#resourceNumber = origin.resourceNumber;
    this.#tenantRow = this.tenantId.intern(origin.tenant, 0, origin.tenant.length, this.#tenantOf);
    this.#tenantOf = this.#tenantRow;
    this.tenantId.pushId(this.#tenantRow);
    const { resource, serviceName } = origin;
    this.#serviceRow = this.serviceName.intern(serviceName.buf, 0, serviceName.length);
    this.serviceName.pushId(this.#serviceRow);
    this.#resource.rename(origin.resourceUpgrade?.attributes('resource'), origin.renamed);
    return this.#resource.push(reader, resource.start, resource.end, RESOURCE_ATTRIBUTES);
  }

  /** Puts all rows into the columns. */
  settle(): void {
    const times = this.#more;
    if (times === 0) return;
    this.#more = 0;
    this.scopeName.repeatLast(1, this.#scopeNameBytes, times);
    if (this.scopeVersion instanceof StringColumn) this.scopeVersion.repeatLast(1, this.#scopeVersionBytes, times);
    else this.scopeVersion.repeatLast(1, times);
    this.retentionDays.repeatLast(times);
    this.receivedDay.repeatLast(times);
    this.rawPosition.repeatLast(times);
    this.tenantId.repeatLast(1, times);
    this.serviceName.repeatLast(1, times);
    this.#resource.repeat(times);
  }

  clear(columns: Columns): void {
    this.#resourceNumber = -1;
    this.#scopeNumber = -1;
    this.#tenantOf = -1;
    this.#more = 0;
    this.#resource.clear();
    for (const column of Object.values(columns)) column.clear();
  }
}

/** ScopeAttributes, encoded once for each scope; rows are added as those of {@link CommonColumns}. */
export class ScopeAttributes {
  readonly column = new MapColumn();
  readonly #scope = new RepeatedAttributes(this.column);
  #scopeNumber = -1;
  #more = 0;

  push(reader: WireReader, origin: Origin): boolean {
    if (this.#scopeNumber === origin.scopeNumber) {
      this.#more++;
      return true;
    }
    this.settle();
    this.#scopeNumber = origin.scopeNumber;
    return this.#scope.push(reader, origin.scope.start, origin.scope.end, SCOPE_ATTRIBUTES);
  }

  settle(): void {
    if (this.#more > 0) this.#scope.repeat(this.#more);
    this.#more = 0;
  }

  clear(): void {
    this.#scopeNumber = -1;
    this.#more = 0;
    this.#scope.clear();
  }
}
