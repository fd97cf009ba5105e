import { InvariantError } from '@weir/pipeline';
import { Engine } from '@weir/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Columns, writeBlock } from './block.ts';
import { Bytes } from './bytes.ts';
import { Column64, SmallColumn, StringColumn } from './column.ts';
import { ArrayColumn, MapColumn } from './compound.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open();
});

afterAll(() => engine.close());

function blockOf(columns: Columns, rows: number): Buffer {
  const out = new Bytes(16);
  writeBlock(columns, rows, out);
  return Buffer.from(out.written());
}

function pushTo(column: StringColumn | LowCardinalityColumn, text: string): void {
  const bytes = Buffer.from(text);
  column.push(bytes, 0, bytes.length);
}

/** One column of each kind that the tables use. */
function makeColumns() {
  return {
    text: new StringColumn(),
    name: new LowCardinalityColumn(),
    u8: new SmallColumn('UInt8'),
    bool: new SmallColumn('Bool'),
    u16: new SmallColumn('UInt16'),
    day: new SmallColumn('Date'),
    i32: new SmallColumn('Int32'),
    u32: new SmallColumn('UInt32'),
    second: new SmallColumn('DateTime'),
    u64: new Column64('UInt64'),
    time: new Column64('DateTime64(9)'),
    float: new Column64('Float64'),
    map: new MapColumn(),
    counts: new ArrayColumn(new Column64('UInt64')),
    texts: new ArrayColumn(new StringColumn()),
    names: new ArrayColumn(new LowCardinalityColumn()),
    maps: new ArrayColumn(new MapColumn()),
  };
}

type Filled = ReturnType<typeof makeColumns>;

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom('', '\0', 'ß→𝛑', "'; --", '\\n"'),
);
const pairs = fc.uniqueArray(fc.tuple(text, text), { maxLength: 5, selector: ([key]) => key });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

const row = fc.record({
  text,
  name: text,
  u8: fc.nat({ max: 255 }),
  bool: fc.boolean(),
  u16: fc.nat({ max: 65_535 }),
  i32: fc.integer(),
  u32: fc.nat({ max: 2 ** 32 - 1 }),
  u64,
  time: fc.bigInt({ min: 0n, max: 9_214_646_400_000_000_000n }),
  float: fc.double(),
  map: pairs,
  counts: fc.array(u64, { maxLength: 4 }),
  texts: fc.array(text, { maxLength: 4 }),
  names: fc.array(text, { maxLength: 4 }),
  maps: fc.array(pairs, { maxLength: 3 }),
});

type Row = typeof row extends fc.Arbitrary<infer T> ? T : never;

function pushPairs(column: MapColumn, entries: readonly (readonly [string, string])[]): void {
  for (const [key, value] of entries) {
    pushTo(column.keys, key);
    pushTo(column.values, value);
  }
  column.end();
}

function push64(column: Column64, value: bigint): void {
  column.push(Number(value & 0xffff_ffffn), Number(value >> 32n));
}

function pushRow(columns: Filled, value: Row): void {
  pushTo(columns.text, value.text);
  pushTo(columns.name, value.name);
  columns.u8.push(value.u8);
  columns.bool.push(value.bool ? 1 : 0);
  columns.u16.push(value.u16);
  columns.day.push(value.u16);
  columns.i32.push(value.i32);
  columns.u32.push(value.u32);
  columns.second.push(value.u32);
  push64(columns.u64, value.u64);
  push64(columns.time, value.time);
  columns.float.pushFloat(value.float);
  pushPairs(columns.map, value.map);
  for (const count of value.counts) push64(columns.counts.items, count);
  columns.counts.end();
  for (const item of value.texts) pushTo(columns.texts.items, item);
  columns.texts.end();
  for (const item of value.names) pushTo(columns.names.items, item);
  columns.names.end();
  for (const item of value.maps) pushPairs(columns.maps.items, item);
  columns.maps.end();
}

/** What ClickHouse is to say: exact numbers as text, a double by its bits. */
function expectedRow(value: Row) {
  const bits = Buffer.alloc(8);
  bits.writeDoubleLE(value.float);
  return {
    text: value.text,
    name: value.name,
    u8: value.u8,
    bool: value.bool,
    u16: value.u16,
    day: value.u16,
    i32: value.i32,
    u32: value.u32,
    second: value.u32,
    u64: value.u64.toString(),
    time: value.time.toString(),
    float: bits.readBigUInt64LE().toString(),
    map: value.map,
    counts: value.counts.map(String),
    texts: value.texts,
    names: value.names,
    maps: value.maps,
  };
}

const READ = [
  'text, name, u8, bool, u16, toUInt16(day) AS day, i32, u32, toUnixTimestamp(second) AS second, u64',
  'toUnixTimestamp64Nano(time) AS time, reinterpretAsUInt64(float) AS float',
  "CAST(map, 'Array(Tuple(String, String))') AS map, counts, texts, names",
  "arrayMap(m -> CAST(m, 'Array(Tuple(String, String))'), maps) AS maps",
].join(', ');

describe('ClickHouse reading the blocks', () => {
  test('finds every value of every kind of column again', () => {
    const columns = makeColumns();
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), (rows) => {
        for (const column of Object.values(columns)) column.clear();
        for (const value of rows) pushRow(columns, value);
        expect(engine.readBlock(blockOf(columns, rows.length), READ)).toEqual(rows.map(expectedRow));
      }),
      { numRuns: 60 },
    );
  });

  test('finds the names and types', () => {
    const columns = makeColumns();
    const described = Object.entries(columns).map(([name, column]) => ({ name, type: column.type }));
    expect(engine.describeBlock(blockOf(columns, 0))).toEqual(described);
  });

  test('finds no rows in an empty block', () => {
    expect(engine.readBlock(blockOf(makeColumns(), 0))).toEqual([]);
  });

  test('reads rows whose arrays and maps are all empty', () => {
    const columns = { names: new ArrayColumn(new LowCardinalityColumn()), maps: new ArrayColumn(new MapColumn()) };
    for (let i = 0; i < 3; i++) {
      columns.names.end();
      columns.maps.end();
    }
    expect(engine.readBlock(blockOf(columns, 3))).toEqual(Array(3).fill({ names: [], maps: [] }));
  });

  test.each([1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000])('reads a dictionary of %d values', (size) => {
    const name = new LowCardinalityColumn();
    const order = new SmallColumn('UInt32');
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < size; i++) {
        pushTo(name, `value-${i}`);
        order.push(i);
      }
    }
    const found = engine.readBlock(
      blockOf({ name, order }, size * 2),
      "count() AS rows, uniqExact(name) AS names, countIf(name != concat('value-', toString(order))) AS wrong",
    );
    expect(found).toEqual([{ rows: String(size * 2), names: String(size), wrong: '0' }]);
  });

  test('reads blocks that follow one another', () => {
    const u8 = new SmallColumn('UInt8');
    const out = new Bytes(16);
    for (const value of [1, 2]) {
      u8.clear();
      u8.push(value);
      writeBlock({ u8 }, 1, out);
    }
    expect(engine.readBlock(out.written())).toEqual([{ u8: 1 }, { u8: 2 }]);
  });
});

describe('writeBlock', () => {
  test('writes the same bytes with columns that were used before as with new ones', () => {
    const used = makeColumns();
    fc.assert(
      fc.property(fc.array(row, { maxLength: 30 }), (rows) => {
        for (const column of Object.values(used)) column.clear();
        const fresh = makeColumns();
        for (const value of rows) {
          pushRow(used, value);
          pushRow(fresh, value);
        }
        expect(blockOf(used, rows.length).equals(blockOf(fresh, rows.length))).toBe(true);
      }),
    );
  });

  test('writes the same bytes once the memory of a large block was given back', () => {
    const used = makeColumns();
    const rows = fc.sample(row, { numRuns: 3, seed: 1 });
    for (let i = 0; i < 9_000; i++) pushRow(used, { ...rows[0]!, name: `name-${i}` });
    for (let i = 0; i < 20; i++) for (const column of Object.values(used)) column.clear();
    const fresh = makeColumns();
    for (const value of rows) {
      pushRow(used, value);
      pushRow(fresh, value);
    }
    expect(blockOf(used, 3).equals(blockOf(fresh, 3))).toBe(true);
  });

  test('refuses columns of different lengths', () => {
    const a = new SmallColumn('UInt8');
    const b = new SmallColumn('UInt8');
    a.push(1);
    expect(() => blockOf({ a, b }, 1)).toThrow(InvariantError);
  });
});

describe('LowCardinalityColumn', () => {
  test('gives one id to one value, whatever is guessed', () => {
    const column = new LowCardinalityColumn();
    const ids = new Map<string, number>();
    fc.assert(
      fc.property(text, fc.integer({ min: -1, max: 50 }), (value, guess) => {
        const bytes = Buffer.from(`before${value}after`);
        const id = column.intern(bytes, 6, bytes.length - 5, guess);
        expect(id).toBe(ids.get(value) ?? ids.size);
        ids.set(value, id);
      }),
      { numRuns: 500 },
    );
  });

  test('forgets its values when it is cleared', () => {
    const column = new LowCardinalityColumn();
    pushTo(column, 'a');
    pushTo(column, 'b');
    column.clear();
    expect(column.intern(Buffer.from('b'), 0, 1, 1)).toBe(0);
  });
});
