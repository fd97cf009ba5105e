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
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '18446744073709551615', '18446744073709551616'],
  ...['123456789012345678901234567890', '1544712660300000001', '-9223372036854775809', '100000000000000000000.0'],
];
const TEXTS = [
  ...['', ' ', '1', ' 1', '1 ', '0x10', '0b1', '1e2', '1.0', '-0', '+1', '007', '00000000000000000000000000001', '1_000'],
  ...['NaN', 'Infinity', '-Infinity', '+Infinity', 'inf', 'nan', 'true', 'null', '.5', '5.', '-', '1e400', 'µs', '\u0661'],
  ...['5b8efff798038103d269b633813fc60c', '5B8EFFF798038103D269B633813FC60C', 'eee19b7ec3c1b174', 'abc', 'zz', '00', 'ab cd'],
  ...['AQID', 'AQI=', 'AQ==', 'AQ', 'A', 'AQID=', 'AQ=ID', 'A QID', '-_-_', '+/+/', '====', '=', '*', 'AQI', 'AQIDA'],
  ...['SPAN_KIND_SERVER', 'STATUS_CODE_ERROR', '__proto__', '\0', '\ud800', 'a\udc00b', '\ufeff', '𝒳'],
];
const NAMES = ['__proto__', 'constructor', 'toString', 'unknown', 'trace_id', 'span_id', 'resource_spans', 'string_value'];

/** A changed OTLP/JSON text: mostly along its structure, else its bytes. */
export function mutateJson(chance: Chance, from: readonly Case[]): Case {
  const { signal, bytes } = chance.pick(from);
  const other = chance.pick(from).bytes;
  let mutant: Buffer | undefined;
  if (!chance.oneIn(4)) {
    const [value, donor] = [parse(bytes), parse(other)];
    if (value instanceof Members) {
      for (let left = chance.few(); left > 0; left--) change(chance, value, donor);
      mutant = Buffer.from(write(value));
    }
  }
  if (mutant === undefined || chance.oneIn(8)) mutant = mutateBytes(chance, mutant ?? bytes, other);
  return { signal, bytes: mutant, option: 0 };
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'), ((_key: string, value: unknown, context?: { source?: string }) => {
      if (typeof value === 'number') return new Raw(context?.source ?? String(value));
      const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
      return isObject && !(value instanceof Raw) && !(value instanceof Members) ? new Members(Object.entries(value)) : value;
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

/** Every list of values or members in it. */
function containers(value: unknown, found: (unknown[] | Members)[] = []): (unknown[] | Members)[] {
  if (Array.isArray(value)) {
    if (value.length > 0) found.push(value);
    for (const item of value) containers(item, found);
  } else if (value instanceof Members) {
    if (value.list.length > 0) found.push(value);
    for (const [, content] of value.list) containers(content, found);
  }
  return found;
}

function change(chance: Chance, root: Members, donor: unknown): void {
  const all = containers(root);
  if (all.length === 0) return;
  const place = chance.pick(all);
  const value = () => newValue(chance, donor);
  if (Array.isArray(place)) {
    const at = chance.int(place.length);
    const action = chance.int(4);
    if (action === 0) place.splice(at, 1);
    else if (action === 1) place.splice(at, 0, place[at]);
    else place[at] = value();
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
      member[1] = value();
  }
}

function newName(chance: Chance, name: string, donor: unknown): string {
  const action = chance.int(4);
  if (action === 0) return chance.pick(NAMES);
  if (action === 1) return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const objects = containers(donor).filter((one) => one instanceof Members);
  return objects.length === 0 ? name : chance.pick(chance.pick(objects).list)[0];
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
      const places = containers(donor);
      if (places.length === 0) return null;
      const place = chance.pick(places);
      return Array.isArray(place) ? chance.pick(place) : chance.oneIn(2) ? place : chance.pick(place.list)[1];
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
