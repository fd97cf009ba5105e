import type { DescMessage } from '@bufbuild/protobuf';
import type { Chance } from './chance.ts';
import { fieldOf, treeOf, varint, type WireField, writeWire } from './wire-tree.ts';

/** The field, and the list in which it stands. */
interface Place {
  readonly siblings: WireField[];
  readonly at: number;
  readonly parent: DescMessage;
}

const U64 = 2n ** 64n;
const TIME_END = (9_214_646_400_000_000_000n >> 32n) << 32n;
const INTEGERS = [0n, 1n, 2n, 17n, 127n, 255n, 256n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n];
const WIDE = [...INTEGERS, 2n ** 63n - 1n, 2n ** 63n, U64 - 1n, TIME_END, TIME_END - 1n, 1_795_000_000_000_000_000n];
const DOUBLES = [
  0,
  -0,
  1.5,
  -1e300,
  5e-324,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  1e21,
  1e-7,
];
const SIZES = [0, 1, 7, 8, 9, 15, 16, 17, 20, 127, 128, 200];
const TEXTS = ['', '\0', 'service.name', '__proto__', 'µs', 'ms', 'KiBy', '"\\\u2028', '𝒳', 'a'.repeat(130)].map(
  (text) => Buffer.from(text),
);
const NOT_UTF8 = ['ff', 'c080', 'eda080', 'f4908080', 'e282', '61ff'.padEnd(210, '61')].map((hex) =>
  Buffer.from(hex, 'hex'),
);
/** Unknown to most messages, on the bounds of what the tables of the schema hold, and the largest that there is. */
const NUMBERS = [1, 2, 3, 4, 8, 13, 17, 30, 31, 32, 33, 63, 100, 2 ** 29 - 1];

/** An export with one or a few changes that keep it an export, or nearly one. `other` is what is spliced in. */
export function mutateWire(chance: Chance, root: DescMessage, bytes: Buffer, other: Buffer): Buffer | undefined {
  const fields = treeOf(root, bytes)?.map(copyOf);
  const donor = treeOf(root, other) ?? [];
  if (fields === undefined) return undefined;
  for (let left = chance.few(); left > 0; left--) {
    if (fields.length === 0) fields.push(unknownField(chance));
    else mutateField(chance, somePlace(chance, root, fields), { root, fields: donor }, fields);
  }
  return writeWire(fields);
}

/** What is spliced in comes from here. */
interface Donor {
  readonly root: DescMessage;
  readonly fields: readonly WireField[];
}

/** Resources, scopes and items stand in fields of this number, beside heads that are as large as they are. */
const LIST = 2;
const LIST_LEVELS = 3;

/** Some field of some depth: mostly on the way to an item or in one, and mostly a message. */
function somePlace(chance: Chance, root: DescMessage, fields: WireField[]): Place {
  let [parent, siblings] = [root, fields];
  const stopOnceIn = chance.pick([2, 4, 7, 30]);
  for (let level = 1; ; level++) {
    const at = someIndex(chance, siblings, level);
    const { message, fields: inner } = siblings[at]!;
    if (message === undefined || inner === undefined || inner.length === 0 || chance.oneIn(stopOnceIn)) {
      return { parent, siblings, at };
    }
    [parent, siblings] = [message, inner];
  }
}

function someIndex(chance: Chance, siblings: readonly WireField[], level: number): number {
  const tries = chance.int(4);
  let at = chance.int(siblings.length);
  for (let i = 0; i < tries; i++) {
    const { number, fields } = siblings[at]!;
    if (level > 1 && level <= LIST_LEVELS ? number === LIST : fields !== undefined) break;
    at = chance.int(siblings.length);
  }
  return at;
}

function copyOf(field: WireField): WireField {
  return { ...field, fields: field.fields?.map(copyOf) };
}

const bytesField = (number: number, value: Buffer): WireField => ({
  number,
  type: 2,
  value,
  message: undefined,
  fields: undefined,
  lengthError: 0,
  padding: 0,
});

function mutateField(chance: Chance, place: Place, donor: Donor, top: WireField[]): void {
  const { siblings, at } = place;
  const field = siblings[at]!;
  const somewhere = chance.int(siblings.length + 1);
  switch (chance.int(14)) {
    case 0:
      siblings.splice(somewhere, 0, copyOf(field));
      break;
    case 1:
      siblings.splice(at, 1);
      break;
    case 2:
      field.type = chance.oneIn(6) ? chance.int(8) : chance.pick([0, 1, 2, 5]);
      break;
    case 3:
      field.lengthError = chance.oneIn(4) ? chance.pick([1e9, 2 ** 31, 2 ** 32, 2 ** 35]) : chance.between(-9, 9);
      break;
    case 4:
    case 5:
    case 6:
      setValue(chance, field);
      break;
    case 7:
      siblings.splice(somewhere, 0, unknownField(chance));
      break;
    case 8:
      nest(chance, place);
      break;
    case 9:
    case 10:
      splice(chance, place, donor);
      break;
    case 11:
      siblings.splice(somewhere, 0, ...siblings.splice(at, chance.between(1, 3)));
      break;
    case 12:
      field.number = chance.pick(chance.oneIn(3) ? NUMBERS : place.parent.fields.map(({ number }) => number));
      break;
    default:
      if (chance.oneIn(3)) top.push(...top.map(copyOf).slice(0, chance.between(1, 2)));
      else field.padding = chance.between(1, 10);
  }
}

function setValue(chance: Chance, field: WireField): void {
  if (field.type === 0) field.value = varint(chance.pick(WIDE), chance.oneIn(8) ? chance.between(1, 6) : 0);
  else if (field.type === 1) field.value = chance.oneIn(3) ? doubleBytes(chance.pick(DOUBLES)) : wideBytes(chance);
  else if (field.type === 5) field.value = wideBytes(chance).subarray(0, 4);
  else if (field.fields !== undefined && chance.oneIn(2)) field.fields.length = 0;
  else if (field.fields === undefined) {
    const size = chance.pick(SIZES);
    const value = chance.int(5);
    if (value === 0) field.value = Buffer.alloc(size);
    else if (value === 1) field.value = chance.bytes(size);
    else if (value === 2) field.value = chance.pick(NOT_UTF8);
    else if (value === 3) field.value = Buffer.from(field.value.subarray(0, size));
    else field.value = chance.pick(TEXTS);
  }
}

function doubleBytes(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

function wideBytes(chance: Chance): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(chance.pick(WIDE));
  return bytes;
}

function unknownField(chance: Chance): WireField {
  const number = chance.pick(NUMBERS);
  const group = Buffer.concat([varint(BigInt(number * 8 + 4))]);
  if (chance.oneIn(6)) return { ...bytesField(number, group), type: 3 };
  const field = { ...bytesField(number, chance.bytes(chance.int(20))), type: chance.pick([0, 1, 2, 5]) };
  if (field.type !== 2) field.value = field.type === 0 ? varint(chance.pick(WIDE)) : wideBytes(chance);
  if (field.type === 5) field.value = field.value.subarray(0, 4);
  return field;
}

/** Puts values in values, mostly about as deep as is allowed. */
function nest(chance: Chance, { siblings, parent }: Place): void {
  const owner = parent.fields.find(({ message }) => message?.name === 'KeyValue' || message?.name === 'AnyValue');
  if (owner === undefined) return;
  const depth = chance.oneIn(20) ? 2_000 : chance.between(1, 55);
  let value = Buffer.from([0x0a, 1, 0x78]);
  for (let i = 0; i < depth; i++) {
    const inList = chance.oneIn(2);
    const item = inList ? value : writeWire([bytesField(1, Buffer.from('k')), bytesField(2, value)]);
    value = writeWire([bytesField(inList ? 5 : 6, writeWire([bytesField(1, item)]))]);
  }
  const isPair = owner.message?.name === 'KeyValue';
  siblings.push(
    bytesField(owner.number, isPair ? writeWire([bytesField(1, Buffer.from('k')), bytesField(2, value)]) : value),
  );
}

const SPLICE_TRIES = 12;

/** Puts in, or in the place of a field, one of another export: of the same message mostly. */
function splice(chance: Chance, { siblings, at, parent }: Place, { root, fields }: Donor): void {
  if (fields.length === 0) return;
  let donor = somePlace(chance, root, fields as WireField[]);
  for (let i = 0; i < SPLICE_TRIES && donor.parent !== parent; i++)
    donor = somePlace(chance, root, fields as WireField[]);
  const taken = copyOf(donor.siblings[donor.at]!);
  taken.message ??= fieldOf(parent, taken.number)?.message;
  siblings.splice(at, chance.int(2), taken);
}
