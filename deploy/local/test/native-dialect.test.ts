import { Readable } from 'node:stream';
import { sharedStack } from '@weir/testkit/vitest';
import { request } from 'undici';
import { expect, test } from 'vitest';

// What Go's client (clickhouse-go, and with it the Collector's exporter) sends over HTTP, byte for byte.

const stack = sharedStack();
const BLOCK_INFO = Buffer.from([1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0]);
const SETTINGS = { database: 'default', async_insert: 'false', default_format: 'Native' };
const VERSION = { client_protocol_version: '54460' };

async function post(
  body: string | Buffer[],
  parameters: Readonly<Record<string, string>>,
): Promise<{ status: number; bytes: Buffer }> {
  const url = `${stack.local.clickhouse.url}/?${new URLSearchParams({ ...SETTINGS, ...parameters })}`;
  const answer = await request(url, {
    method: 'POST',
    body: typeof body === 'string' ? body : Readable.from(body),
    headers: { authorization: `Basic ${Buffer.from('default:').toString('base64')}` },
  });
  return { status: answer.statusCode, bytes: Buffer.from(await answer.body.arrayBuffer()) };
}

const select = async (sql: string, parameters = VERSION as Readonly<Record<string, string>>) => {
  const { status, bytes } = await post(sql, parameters);
  expect([status, status === 200 ? '' : bytes.toString()]).toEqual([200, '']);
  return bytes;
};

const text = (value: string) => Buffer.from([value.length, ...Buffer.from(value)]);

function uint64(...values: number[]): Buffer {
  return Buffer.from(new BigUint64Array(values.map(BigInt)).buffer);
}

/** A column as the client reads it, with its serialization byte, or writes it, without. */
function column(name: string, type: string, cells: Buffer, marked: boolean): Buffer {
  return Buffer.concat([text(name), text(type), Buffer.from(marked ? [0] : []), cells]);
}

test('the greeting of the client is answered as a server does', async () => {
  const answer = await select('SELECT displayName(), version(), revision(), timezone()');
  expect(answer.subarray(0, 10)).toEqual(Buffer.concat([BLOCK_INFO, Buffer.from([4, 1])]));
  const head = column('displayName()', 'String', Buffer.alloc(0), true);
  expect(answer.subarray(10, 10 + head.length)).toEqual(head);
  const [{ version, revision } = { version: '', revision: '' }] = await stack.query<{
    version: string;
    revision: number;
  }>('SELECT version() AS version, revision() AS revision');
  expect(answer.includes(column('version()', 'String', text(version), true))).toBe(true);
  const number = Buffer.from(new Uint32Array([Number(revision)]).buffer);
  expect(answer.includes(column('revision()', 'UInt32', number, true))).toBe(true);
});

test('a block of many types is, column by column, what the engine says of each alone', async () => {
  const values = [
    "toLowCardinality('a')",
    "map(toLowCardinality('k'), 'v', toLowCardinality('l'), '')",
    '[1.5, NULL]',
    "toDateTime64('2026-11-21 16:00:00', 9, 'UTC')",
    "CAST((1, 'y'), 'Tuple(x UInt8, y String)')",
    "CAST('c', 'Enum8(\\'a,b)\\' = 1, \\'c\\' = 2)')",
    "CAST(['q', NULL], 'Array(LowCardinality(Nullable(String)))')",
    "toFixedString('abc', 3)",
    'toDecimal128(1.5, 3)',
    "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
    "toIPv6('::1')",
    'NULL',
    'toIntervalDay(3)',
    "CAST([], 'Array(Map(LowCardinality(String), Array(String)))')",
  ].map((value, index) => `${value} AS c${index}`);
  const alone = await Promise.all(values.map((value) => select(`SELECT ${value}`, {})));
  const expected = alone.map((bytes) => {
    // One column and one row; the name has two or three characters; a type has less than 128.
    const nameEnd = 3 + bytes[2]!;
    const typeEnd = nameEnd + 1 + bytes[nameEnd]!;
    return Buffer.concat([bytes.subarray(2, typeEnd), Buffer.from([0]), bytes.subarray(typeEnd)]);
  });
  expect(await select(`SELECT ${values.join(', ')}`)).toEqual(
    Buffer.concat([BLOCK_INFO, Buffer.from([values.length, 1]), ...expected]),
  );
});

test('tables are made, described and filled; the blocks of an insert carry neither info nor byte', async () => {
  const table = '"default"."go_client"';
  await select(`DROP TABLE IF EXISTS ${table}`);
  const made = await post(
    `CREATE TABLE ${table} (Name LowCardinality(String) CODEC(ZSTD(1)), Attributes Map(LowCardinality(String), String), Events Nested (Timestamp DateTime64(9), Name LowCardinality(String))) ENGINE = MergeTree() ORDER BY Name SETTINGS index_granularity=8192, ttl_only_drop_parts = 1`,
    VERSION,
  );
  expect([made.status, made.bytes.length]).toEqual([200, 0]);

  const described = await select(`DESCRIBE TABLE ${table}`);
  expect(described.subarray(0, 10)).toEqual(Buffer.concat([BLOCK_INFO, Buffer.from([7, 4])]));
  const names = ['Name', 'Attributes', 'Events.Timestamp', 'Events.Name'].map(text);
  const first = column('name', 'String', Buffer.concat(names), true);
  expect(described.subarray(10, 10 + first.length)).toEqual(first);

  const words = (...values: string[]) => Buffer.concat(values.map(text));
  const keys = (...values: string[]) => Buffer.concat([uint64(0x600, values.length), words(...values)]);
  const block = Buffer.concat([
    Buffer.from([4, 2]),
    column(
      'Name',
      'LowCardinality(String)',
      Buffer.concat([uint64(1), keys('one', 'two'), uint64(2), Buffer.from([0, 1])]),
      false,
    ),
    column(
      'Attributes',
      'Map(LowCardinality(String), String)',
      Buffer.concat([uint64(1), uint64(1, 1), keys('k'), uint64(1), Buffer.from([0]), words('v')]),
      false,
    ),
    column('Events.Timestamp', 'Array(DateTime64(9))', Buffer.concat([uint64(0, 1), uint64(1_500_000_000)]), false),
    column(
      'Events.Name',
      'Array(LowCardinality(String))',
      Buffer.concat([uint64(1), uint64(0, 1), keys('exception'), uint64(1), Buffer.from([0])]),
      false,
    ),
  ]);
  const columns = 'Name, Attributes, Events.Timestamp, Events.Name';
  const query = `INSERT INTO ${table} (\n ${columns}\n) FORMAT Native`;
  const halves = [block.subarray(0, 50), block.subarray(50)];
  const inserted = await post(halves, { ...VERSION, query });
  expect([inserted.status, inserted.bytes.toString()]).toEqual([200, '']);
  expect(await stack.query(`SELECT * FROM ${table} ORDER BY Name`)).toEqual([
    { Name: 'one', Attributes: { k: 'v' }, 'Events.Timestamp': [], 'Events.Name': [] },
    {
      Name: 'two',
      Attributes: {},
      'Events.Timestamp': ['1970-01-01 00:00:01.500000000'],
      'Events.Name': ['exception'],
    },
  ]);
  expect(await select(`SELECT Name FROM ${table} WHERE Name = 'three'`)).toEqual(Buffer.alloc(0));
  await select(`DROP TABLE ${table}`);
});

test.each(['compress', 'decompress'])("ClickHouse's own %s is refused, not read as something else", async (name) => {
  const { status, bytes } = await post('SELECT 1', { ...VERSION, [name]: '1' });
  expect([status, bytes.toString()]).toEqual([501, expect.stringContaining("ClickHouse's own compression")]);
});
