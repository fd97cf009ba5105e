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
  #tenantOf = -1;
  #tenantRow = 0;
  #serviceRow = 0;

  constructor(scopeVersion: StringColumn | LowCardinalityColumn) {
    this.scopeVersion = scopeVersion;
  }

  /** Pushes one row. False once the reader has a fault. */
  push(reader: WireReader, origin: Origin): boolean {
    const { buf } = reader;
    const { scopeName, scopeVersion, resource } = origin;
    this.scopeName.push(buf, scopeName.start, scopeName.end);
    this.scopeVersion.push(buf, scopeVersion.start, scopeVersion.end);
    this.retentionDays.push(origin.retentionDays);
    this.receivedDay.push(origin.receivedDay);
    this.rawPosition.push(origin.positionLo, origin.positionHi);
    if (this.#resourceNumber === origin.resourceNumber) {
      this.tenantId.pushId(this.#tenantRow);
      this.serviceName.pushId(this.#serviceRow);
      this.#resource.repeat();
      return true;
    }
    this.#resourceNumber = origin.resourceNumber;
    this.#tenantRow = this.tenantId.intern(origin.tenant, 0, origin.tenant.length, this.#tenantOf);
    this.#tenantOf = this.#tenantRow;
    this.tenantId.pushId(this.#tenantRow);
    const { serviceName } = origin;
    this.#serviceRow = this.serviceName.intern(serviceName.buf, 0, serviceName.length);
    this.serviceName.pushId(this.#serviceRow);
    this.#resource.rename(origin.resourceUpgrade?.attributes('resource'), origin.renamed);
    return this.#resource.push(reader, resource.start, resource.end, RESOURCE_ATTRIBUTES);
  }

  get rows(): number {
    return this.retentionDays.rows;
  }

  clear(columns: Columns): void {
    this.#resourceNumber = -1;
    this.#tenantOf = -1;
    this.#resource.clear();
    for (const column of Object.values(columns)) column.clear();
  }
}

/** ScopeAttributes, encoded once for each scope. */
export class ScopeAttributes {
  readonly column = new MapColumn();
  readonly #scope = new RepeatedAttributes(this.column);
  #scopeNumber = -1;

  push(reader: WireReader, origin: Origin): boolean {
    if (this.#scopeNumber === origin.scopeNumber) {
      this.#scope.repeat();
      return true;
    }
    this.#scopeNumber = origin.scopeNumber;
    return this.#scope.push(reader, origin.scope.start, origin.scope.end, SCOPE_ATTRIBUTES);
  }

  clear(): void {
    this.#scopeNumber = -1;
    this.#scope.clear();
  }
}
