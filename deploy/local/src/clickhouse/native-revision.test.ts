import { expect, test } from 'vitest';
import { forRevision } from './native-revision.ts';
import { parseNativeType } from './native-type.ts';

/** The version that Go's client names. */
const GO = 54_460;
const BLOCK_INFO = '010002ffffffff00';

function text(value: string): string {
  return Buffer.from([value.length, ...Buffer.from(value)]).toString('hex');
}

const uint64 = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes.toString('hex');
};

/** Columns of two rows: name, type, and their bytes. */
const COLUMNS = [
  ['n', 'UInt32', '0100000002000000'],
  ['s', 'String', text('ab') + text('')],
  ['fixed', 'FixedString(3)', '616263646566'],
  ['kind', "Enum8('a, (b' = 1, 'it\\'s' = 2)", '0102'],
  ['sum', 'Decimal(20, 3)', '00'.repeat(32)],
  ['maybe', 'Nullable(String)', `0100${text('')}${text('x')}`],
  ['list', 'Array(UInt16)', `${uint64(1)}${uint64(3)}010002000300`],
  ['empty', 'Array(String)', `${uint64(0)}${uint64(0)}`],
  ['pair', 'Tuple(x UInt8, `a b` String)', `0102${text('x')}${text('yz')}`],
  ['low', 'LowCardinality(String)', `${uint64(1)}${uint64(0x600)}${uint64(2)}${text('')}${text('k')}${uint64(2)}0100`],
  [
    'map',
    'Map(LowCardinality(String), String)',
    `${uint64(1)}${uint64(1)}${uint64(2)}${uint64(0x600)}${uint64(2)}${text('')}${text('k')}${uint64(2)}0101${text('v')}${text('w')}`,
  ],
  ['newest', 'SimpleAggregateFunction(max, Date)', '01000200'],
] as const;

function block(columns: readonly (readonly [string, string, string])[], rows: number): string {
  const head = Buffer.from([columns.length, rows]).toString('hex');
  return head + columns.map(([name, type, cells]) => text(name) + text(type) + cells).join('');
}

/** As a server writes it for Go's client. */
function blockForGo(columns: readonly (readonly [string, string, string])[], rows: number): string {
  const marked = columns.map(([name, type, cells]) => [name, type, `00${cells}`] as const);
  return BLOCK_INFO + block(marked, rows);
}

const convert = (hex: string, revision: number) =>
  Buffer.from(forRevision(Buffer.from(hex, 'hex'), revision)).toString('hex');

test('each block gets its info, and each column the byte that says that its serialization is the ordinary one', () => {
  expect(convert(block(COLUMNS, 2), GO)).toBe(blockForGo(COLUMNS, 2));
});

test('a dictionary that comes in parts and empty blocks are passed over', () => {
  const part = `${uint64(0x600)}${uint64(1)}${text('k')}${uint64(1)}00`;
  const parted = [['low', 'LowCardinality(Nullable(String))', `${uint64(1)}${part}${part}`]] as const;
  const none = [['s', 'Array(LowCardinality(String))', '']] as const;
  expect(convert(block(parted, 2) + block(none, 0), GO)).toBe(blockForGo(parted, 2) + blockForGo(none, 0));
});

test('a client that names no version gets what the engine wrote, one of old gets the info alone', () => {
  expect(convert(block(COLUMNS, 2), 0)).toBe(block(COLUMNS, 2));
  expect(convert(block(COLUMNS, 2), 54_453)).toBe(BLOCK_INFO + block(COLUMNS, 2));
  expect(convert('', GO)).toBe('');
});

test('a type whose layout is not known is an error that names it, and so is a block that is cut off', () => {
  expect(() => convert(block([['d', 'Dynamic', '00']], 1), GO)).toThrow(/Code: 48\. .*Dynamic/);
  expect(() => convert(block(COLUMNS, 2).slice(0, -4), GO)).toThrow('a Native block ends');
});

test('commas and parentheses within quotes part no parameters', () => {
  expect(parseNativeType("Enum8('a,b)' = 1, 'c' = 2)").parameters).toEqual(["'a,b)' = 1", "'c' = 2"]);
  expect(parseNativeType("Map(String, Tuple(a UInt8, b DateTime64(9, 'UTC')))").parameters).toEqual([
    'String',
    "Tuple(a UInt8, b DateTime64(9, 'UTC'))",
  ]);
});
