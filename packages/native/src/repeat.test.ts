import fc from 'fast-check';
import { expect, test } from 'vitest';
import { writeBlock } from './block.ts';
import { Bytes } from './bytes.ts';
import { Column64, SmallColumn, StringColumn } from './column.ts';
import { ArrayColumn, MapColumn } from './compound.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';

function columns() {
  return {
    text: new StringColumn(),
    name: new LowCardinalityColumn(),
    u16: new SmallColumn('UInt16'),
    u64: new Column64('UInt64'),
    map: new MapColumn(),
  };
}

type Made = ReturnType<typeof columns>;

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.constant('x'.repeat(300))).map((value) => Buffer.from(value));
const row = fc.record({
  text,
  name: text,
  u16: fc.nat({ max: 65_535 }),
  lo: fc.nat(),
  hi: fc.nat(),
  pairs: fc.array(fc.tuple(text, text), { maxLength: 4 }),
});

type Row = typeof row extends fc.Arbitrary<infer T> ? T : never;

function push(made: Made, { text: value, name, u16, lo, hi, pairs }: Row): void {
  made.text.push(value, 0, value.length);
  made.name.push(name, 0, name.length);
  made.u16.push(u16);
  made.u64.push(lo, hi);
  for (const [key, of] of pairs) {
    made.map.keys.push(key, 0, key.length);
    made.map.values.push(of, 0, of.length);
  }
  made.map.end();
}

function blockOf(made: Made): string {
  const out = new Bytes();
  writeBlock(made, made.u16.rows, out);
  return out.written().toString('base64');
}

test('a row that is repeated is as the same row pushed as often', () => {
  const [pushed, repeated] = [columns(), columns()];
  const times = fc.oneof(fc.nat({ max: 5 }), fc.constantFrom(1_000, 3_000));
  fc.assert(
    fc.property(fc.array(fc.tuple(row, times), { minLength: 1, maxLength: 4 }), (runs) => {
      for (const [one, more] of runs) {
        for (let i = 0; i <= more; i++) push(pushed, one);
        const { text: texts, map } = repeated;
        const [textBytes, valueBytes] = [texts.bytes, map.values.bytes];
        push(repeated, one);
        texts.repeatLast(1, texts.bytes - textBytes, more);
        repeated.name.repeatLast(1, more);
        repeated.u16.repeatLast(more);
        repeated.u64.repeatLast(more);
        map.repeatLast(one.pairs.length, map.values.bytes - valueBytes, more);
      }
      expect(blockOf(repeated)).toBe(blockOf(pushed));
      for (const made of [pushed, repeated]) for (const column of Object.values(made)) column.clear();
    }),
    { numRuns: 60 },
  );
});

test('arrays that are nested together end their rows by one of them', () => {
  const number = new ArrayColumn(new Column64('UInt64'));
  const label = new ArrayColumn(new StringColumn(), number);
  const apart = { number: new ArrayColumn(new Column64('UInt64')), label: new ArrayColumn(new StringColumn()) };
  const written = (made: { number: ArrayColumn<Column64>; label: ArrayColumn<StringColumn> }) => {
    const out = new Bytes();
    writeBlock(made, made.label.rows, out);
    return out.written().toString('base64');
  };
  for (const block of [[2, 0, 3], [1]]) {
    for (const items of block) {
      for (const made of [{ number, label }, apart]) {
        for (let item = 0; item < items; item++) {
          made.number.items.push(item, 0);
          made.label.items.pushText(`${item}`);
        }
        made.number.end();
      }
      apart.label.end();
    }
    expect(written({ number, label })).toBe(written(apart));
    for (const column of [number, label, apart.number, apart.label]) column.clear();
    expect([number.rows, label.rows]).toEqual([0, 0]);
  }
});
