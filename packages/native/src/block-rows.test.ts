import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BlockRows } from './block-rows.ts';

const ROWS = 40;
const COLUMNS = Object.entries({
  TenantId: 'LowCardinality(String)',
  u8: 'UInt8',
  bool: 'Bool',
  u16: 'UInt16',
  day: 'Date',
  i32: 'Int32',
  u32: 'UInt32',
  second: 'DateTime',
  u64: 'UInt64',
  i64: 'Int64',
  time: 'DateTime64(9)',
  float: 'Float64',
  text: 'String',
  map: 'Map(LowCardinality(String), String)',
  counts: 'Array(UInt64)',
  texts: 'Array(String)',
  names: 'Array(LowCardinality(String))',
  maps: 'Array(Map(LowCardinality(String), String))',
}).map(([name, type]) => ({ name, type }));

const scratch = mkdtempSync(join(tmpdir(), 'weir-rows-'));
let engine: Engine;
let block: Buffer;

beforeAll(async () => {
  engine = await Engine.open();
  const structure = COLUMNS.map(({ name, type }) => `${name} ${type}`).join(', ');
  const path = join(scratch, 'block.native');
  engine.execute(
    `INSERT INTO FUNCTION file('${path}', Native) SELECT * REPLACE (toString(u8 % 3)::LowCardinality(String) AS TenantId) FROM generateRandom('${structure}', 7, 20, 4) LIMIT ${ROWS}`,
  );
  block = readFileSync(path);
});

afterAll(() => {
  engine.close();
  rmSync(scratch, { recursive: true, force: true });
});

function read(bytes: Buffer): BlockRows {
  const rows = BlockRows.read(bytes, COLUMNS);
  if (rows === undefined) throw new Error('not a block');
  return rows;
}

test('a block is read by the layout that it has', () => {
  const other = [...COLUMNS, { name: 'later', type: 'UInt64' }];
  expect(BlockRows.readAny(block, [other, COLUMNS])?.count).toBe(ROWS);
  expect(BlockRows.readAny(block, [other])).toBeUndefined();
});

test('a slice of a block that ClickHouse wrote is just those rows, as ClickHouse reads them', () => {
  const rows = read(block);
  const all = engine.readBlock(block);
  expect(rows.count).toBe(ROWS);
  expect(all).toHaveLength(ROWS);
  const ranges = [[0, ROWS], ...Array.from({ length: ROWS }, (_, at) => [at, at + 1]), [0, 7], [13, 29], [39, 40]];
  for (const [from, to] of ranges as [number, number][]) {
    const slice = rows.slice(from, to);
    expect(engine.describeBlock(slice)).toEqual(COLUMNS);
    expect(engine.readBlock(slice)).toEqual(all.slice(from, to));
    expect(read(slice).slice(0, to - from)).toEqual(slice);
  }
});

test('a slice holds nothing of the rows beside it', () => {
  const rows = read(block);
  const texts = engine.readBlock(block, 'text').map((row) => String(row.text));
  const at = texts.findIndex((text) => text.length > 8);
  expect(block.includes(texts[at]!)).toBe(true);
  expect(rows.slice(at, at + 1).includes(texts[at]!)).toBe(true);
  for (let other = 0; other < ROWS; other++) {
    if (other === at) continue;
    expect(rows.slice(other, other + 1).includes(texts[at]!)).toBe(false);
  }
  const keys = engine.readBlock(block, 'mapKeys(map) AS keys').map((row) => row.keys as string[]);
  const owner = keys.findIndex(([key]) => (key?.length ?? 0) > 8);
  const [key = ''] = keys[owner]!;
  const others = keys.flatMap((_, row) => (row === owner ? [] : [row]));
  for (const other of others) expect(rows.slice(other, other + 1).includes(key)).toBe(false);
});

test('cells are those that ClickHouse reads', () => {
  const rows = read(block);
  const cells = engine.readBlock(block, 'TenantId, toUInt16(day) AS day, u64');
  for (const [row, cell] of cells.entries()) {
    expect(rows.text('TenantId', row)).toBe(cell.TenantId);
    expect(rows.day('day', row)).toBe(cell.day);
    expect(rows.uint64('u64', row)).toBe(BigInt(cell.u64 as string));
    expect(rows.uint64('later', row)).toBeUndefined();
  }
});

test('rows are shown as ClickHouse shows them, 64 bits and nanoseconds whole', () => {
  const rows = read(block);
  const wide = ['u64', 'i64'].map((name) => `toString(${name}) AS ${name}`);
  const times = [
    "formatDateTime(second, '%FT%TZ', 'UTC') AS second",
    "concat(formatDateTime(toDateTime64(time, 9, 'UTC'), '%FT%T'), '.', leftPad(toString(toUnixTimestamp64Nano(time) - toInt64(floor(toUnixTimestamp64Nano(time) / 1000000000)) * 1000000000), 9, '0'), 'Z') AS time",
  ];
  const shown = engine.readBlock(
    block,
    `* REPLACE (${[...wide, ...times, 'arrayMap(x -> toString(x), counts) AS counts', 'toString(float) AS float', 'mapKeys(map) AS map', 'arrayMap(x -> mapValues(x), maps) AS maps'].join(', ')})`,
  );
  for (const [at, expected] of shown.entries()) {
    const { float, map, maps, text, texts, names, ...row } = rows.row(at);
    expect(row).toEqual(Object.fromEntries(Object.keys(row).map((name) => [name, expected[name]])));
    expect(Object.is(Number(String(float)), Number(expected.float))).toBe(true);
    expect(Object.keys(map as object)).toEqual([...new Set(expected.map as string[])]);
    expect((maps as object[]).map((each) => Object.values(each).length)).toEqual(
      (expected.maps as string[][]).map((values) => values.length),
    );
    expect([text, texts, names]).toEqual([expected.text, expected.texts, expected.names]);
  }
  expect(() => rows.row(ROWS)).toThrow('there is no such row');
});

test('bytes that are not such a block are none, wherever they end and whatever is changed', () => {
  const few = read(block).slice(0, 4);
  for (let end = 0; end < few.length; end++) {
    expect(BlockRows.read(few.subarray(0, end), COLUMNS)).toBeUndefined();
  }
  expect(BlockRows.read(Buffer.concat([few, Buffer.of(0)]), COLUMNS)).toBeUndefined();
  expect(BlockRows.read(few, COLUMNS.slice(1))).toBeUndefined();
  expect(BlockRows.read(few, [...COLUMNS].reverse())).toBeUndefined();
  for (let at = 0; at < few.length; at++) {
    const changed = Buffer.from(few);
    changed[at] = changed[at]! ^ 0xff;
    // Either another block or none: never a slice that lies elsewhere.
    BlockRows.read(changed, COLUMNS)?.slice(0, 1);
  }
});
