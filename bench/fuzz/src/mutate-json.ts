import type { Chance } from './chance.ts';
import { mutateBytes } from './mutate-bytes.ts';
import type { Case } from './target.ts';

/** Text that is put into the JSON as it is. */
class Raw {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** An object as its members in their order, so that a name may stand twice. */
class Members {
  readonly list: [string, unknown][];

  constructor(list: [string, unknown][]) {
    this.list = list;
  }
}

const NUMBERS = [
  ...['0', '-0', '1', '-1', '1.5', '1.0', '1e2', '1E-2', '1e400', '-1e400', '5e-324', '1e19', '1e21', '0.1'],
  ...['2147483647', '2147483648', '-2147483648', '-2147483649', '4294967295', '4294967296', '9007199254740993'],
  ...[
    '9223372036854775807',
    '9223372036854775808',
    '-9223372036854775808',
    '18446744073709551615',
    '18446744073709551616',
  ],
  ...['123456789012345678901234567890', '1544712660300000001', '-9223372036854775809', '100000000000000000000.0'],
];
/** First and last of 32 and 64 bits, and what is beyond. */
const BOUNDS = NUMBERS.filter((number) => /^-?\d{10,20}$/.test(number));
const TEXTS = [
  ...[
    '',
    ' ',
    '1',
    ' 1',
    '1 ',
    '0x10',
    '0b1',
    '1e2',
    '1.0',
    '-0',
    '+1',
    '007',
    '00000000000000000000000000001',
    '1_000',
  ],
  ...[
    'NaN',
    'Infinity',
    '-Infinity',
    '+Infinity',
    'inf',
    'nan',
    'true',
    'null',
    '.5',
    '5.',
    '-',
    '1e400',
    'µs',
    '\u0661',
  ],
  ...[
    '5b8efff798038103d269b633813fc60c',
    '5B8EFFF798038103D269B633813FC60C',
    'eee19b7ec3c1b174',
    'abc',
    'zz',
    '00',
    'ab cd',
  ],
  ...['AQID', 'AQI=', 'AQ==', 'AQ', 'A', 'AQID=', 'AQ=ID', 'A QID', '-_-_', '+/+/', '====', '=', '*', 'AQI', 'AQIDA'],
  ...['SPAN_KIND_SERVER', 'STATUS_CODE_ERROR', '__proto__', '\0', '\ud800', 'a\udc00b', '\ufeff', '𝒳'],
];
const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'unknown',
  'trace_id',
  'span_id',
  'resource_spans',
  'string_value',
];

/** A changed OTLP/JSON text: mostly along its structure, else its bytes. */
export function mutateJson(chance: Chance, from: readonly Case[]): Case {
  const { signal, bytes } = chance.pick(from);
  const other = chance.pick(from).bytes;
  let mutant: Buffer | undefined;
  const parsed = chance.oneIn(4) ? undefined : treeOf(bytes);
  if (parsed instanceof Members) {
    const value = copyOf(parsed) as Members;
    for (let left = chance.few(); left > 0; left--) change(chance, value, treeOf(other));
    mutant = Buffer.from(write(value));
  }
  if (mutant === undefined || chance.oneIn(8)) mutant = mutateBytes(chance, mutant ?? bytes, other);
  return { signal, bytes: mutant, option: 0 };
}

const trees = new WeakMap<Buffer, { readonly value: unknown }>();

/** The text taken apart, once for each buffer: not to be changed. */
function treeOf(bytes: Buffer): unknown {
  let tree = trees.get(bytes);
  if (tree === undefined) {
    tree = { value: parse(bytes) };
    trees.set(bytes, tree);
  }
  return tree.value;
}

function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  return value instanceof Members ? new Members(value.list.map(([name, content]) => [name, copyOf(content)])) : value;
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'), ((_key: string, value: unknown, context?: { source?: string }) => {
      if (typeof value === 'number') return new Raw(context?.source ?? String(value));
      const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
      return isObject && !(value instanceof Raw) && !(value instanceof Members)
        ? new Members(Object.entries(value))
        : value;
    }) as never);
  } catch {
    return undefined;
  }
}

function write(value: unknown): string {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  if (!(value instanceof Members)) return JSON.stringify(value) ?? 'null';
  return `{${value.list.map(([name, content]) => `${JSON.stringify(name)}:${write(content)}`).join(',')}}`;
}

/** Some list of values or members, of some depth; undefined where the value is neither, or empty. */
function somePlace(chance: Chance, value: unknown): unknown[] | Members | undefined {
  let found: unknown[] | Members | undefined;
  const stopOnceIn = chance.pick([4, 12, 40]);
  for (let next = value; found === undefined || !chance.oneIn(stopOnceIn); ) {
    const list = Array.isArray(next) ? next : next instanceof Members ? next.list : [];
    if (list.length === 0) break;
    found = next as unknown[] | Members;
    next = contentOf(next, chance.pick(list));
    // Once more where it leads nowhere: most of what is in an item is flat.
    if (typeof next !== 'object' || next instanceof Raw) next = contentOf(found, chance.pick(list));
  }
  return found;
}

/** A member with a number, which may be in quotes: most rules are about these. Undefined where none was met. */
function someNumber(chance: Chance, root: Members): [string, unknown] | undefined {
  for (let tries = 0; tries < 6; tries++) {
    const place = somePlace(chance, root);
    const numbers = place instanceof Members ? place.list.filter(([, content]) => isNumber(content)) : [];
    if (numbers.length > 0) return chance.pick(numbers);
  }
  return undefined;
}

function isNumber(content: unknown): boolean {
  return content instanceof Raw || (typeof content === 'string' && /^-?\d+$/.test(content));
}

function contentOf(holder: unknown, inner: unknown): unknown {
  return Array.isArray(holder) ? inner : (inner as [string, unknown])[1];
}

function change(chance: Chance, root: Members, donor: unknown): void {
  const number = chance.oneIn(3) ? someNumber(chance, root) : undefined;
  if (number !== undefined) {
    number[1] = alike(chance, number[1]) ?? new Raw(chance.pick(BOUNDS));
    return;
  }
  const place = somePlace(chance, root);
  if (place === undefined) return;
  const value = () => newValue(chance, donor);
  if (Array.isArray(place)) {
    const at = chance.int(place.length);
    const action = chance.int(4);
    if (action === 0) place.splice(at, 1);
    else if (action === 1) place.splice(at, 0, copyOf(place[at]));
    else place[at] = alike(chance, place[at]) ?? value();
    return;
  }
  const at = chance.int(place.list.length);
  const member = place.list[at]!;
  switch (chance.int(8)) {
    case 0:
      place.list.splice(at, 1);
      break;
    case 1:
      place.list.splice(chance.int(place.list.length + 1), 0, [member[0], value()]);
      break;
    case 2:
      member[0] = newName(chance, member[0], donor);
      break;
    case 3:
      place.list.push([newName(chance, member[0], donor), value()]);
      break;
    default:
      member[1] = alike(chance, member[1]) ?? value();
  }
}

function newName(chance: Chance, name: string, donor: unknown): string {
  const action = chance.int(4);
  if (action === 0) return chance.pick(NAMES);
  if (action === 1) return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const place = somePlace(chance, donor);
  return place instanceof Members ? chance.pick(place.list)[0] : name;
}

/** Every other time a value that could stand in the same field; undefined where another one is to be made. */
function alike(chance: Chance, value: unknown): unknown {
  if (chance.oneIn(2)) return undefined;
  const number = chance.pick(NUMBERS);
  if (isNumber(value)) {
    return chance.oneIn(2) ? number : new Raw(number);
  }
  return typeof value === 'string' ? chance.pick(TEXTS) : undefined;
}

function newValue(chance: Chance, donor: unknown): unknown {
  switch (chance.int(8)) {
    case 0:
    case 1:
      return new Raw(chance.pick(NUMBERS));
    case 2:
    case 3:
      return chance.pick(TEXTS);
    case 4:
      return chance.pick<unknown>([null, true, false, [], new Members([]), [null], [[]]]);
    case 5:
      return nested(chance);
    default: {
      const place = somePlace(chance, donor);
      if (place === undefined) return null;
      return copyOf(Array.isArray(place) ? chance.pick(place) : chance.oneIn(2) ? place : chance.pick(place.list)[1]);
    }
  }
}

/** Values in values, mostly about as deep as is allowed. */
function nested(chance: Chance): unknown {
  const depth = chance.oneIn(20) ? 2_000 : chance.between(1, 55);
  let text = '{"stringValue":"x"}';
  for (let i = 0; i < depth; i++) text = `{"arrayValue":{"values":[${text}]}}`;
  return new Raw(text);
}
