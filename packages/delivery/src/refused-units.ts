import { InvariantError, invariant } from '@weir/pipeline';

/** What is known of a unit: nothing was refused, its halves are decided apart, or all of it goes to the DLQ. */
export type UnitState = 'whole' | 'split' | 'dead';

/** Rows [from, to) of one table's part of a batch that are inserted, or refused, as one. */
export interface Unit {
  readonly from: number;
  readonly to: number;
  /** Its insert's name. The first half has that of the whole: a whole that is still on its way is dropped then. */
  readonly token: string;
  readonly state: UnitState;
  /** Where it is split. */
  readonly halves: readonly [Unit, Unit] | undefined;
}

interface MutableUnit extends Unit {
  state: UnitState;
  halves: readonly [MutableUnit, MutableUnit] | undefined;
}

const BITS_PER_DIGIT = 4;

/**
 * What ClickHouse refused of one part: halves of halves, cut between blocks first and then between rows, down to one row.
 * Where a unit is cut follows from the part alone, so a bit or two for each unit say all; who repeats the batch finds the
 * same units under the same tokens. A change of where they are cut, or of the marks, needs a new version of the commit's
 * metadata.
 */
export class RefusedUnits {
  readonly root: Unit;
  readonly #token: string;
  /** Row with which each block begins. */
  readonly #starts: readonly number[];
  #splits = 0;

  /**
   * @param blockRows rows of each block of the part
   * @param token the part's
   * @param marks what was recorded; empty for nothing
   */
  constructor(blockRows: readonly number[], token: string, marks = '') {
    const starts: number[] = [];
    let rows = 0;
    for (const count of blockRows) {
      starts.push(rows);
      rows += count;
    }
    this.#starts = starts;
    this.#token = token;
    const root: MutableUnit = { from: 0, to: rows, token, state: 'whole', halves: undefined };
    this.root = root;
    this.#restore(root, new Bits(marks));
  }

  /** How many units are split. */
  get splits(): number {
    return this.#splits;
  }

  split(unit: Unit): void {
    const { from, to, token, state } = unit;
    invariant(state === 'whole' && to - from > 1, 'a unit is split once, and a row never');
    const middle = this.#middle(from, to);
    const ofSecond = `${this.#token}:${middle}-${to}`;
    const first: MutableUnit = { from, to: middle, token, state: 'whole', halves: undefined };
    const second: MutableUnit = { from: middle, to, token: ofSecond, state: 'whole', halves: undefined };
    Object.assign(unit as MutableUnit, { state: 'split', halves: [first, second] });
    this.#splits++;
  }

  /** Gives all rows of a unit to the DLQ. */
  bury(unit: Unit): void {
    invariant(unit.state === 'whole', 'a unit is decided once');
    (unit as MutableUnit).state = 'dead';
  }

  /** All that was refused, as hexadecimal digits; more bits are set with each unit. */
  get marks(): string {
    if (this.root.state === 'whole') return '';
    const bits: number[] = [];
    const write = ({ state, from, to, halves }: Unit): void => {
      bits.push(state === 'whole' ? 0 : 1);
      // A row that is refused is dead: there is nothing to tell apart.
      if (state !== 'whole' && to - from > 1) bits.push(state === 'dead' ? 1 : 0);
      if (halves !== undefined) for (const half of halves) write(half);
    };
    write(this.root);
    return toDigits(bits);
  }

  #restore(unit: MutableUnit, bits: Bits): void {
    if (bits.next() === 0) return;
    if (unit.to - unit.from <= 1 || bits.next() === 1) {
      unit.state = 'dead';
      return;
    }
    this.split(unit);
    for (const half of unit.halves!) this.#restore(half, bits);
  }

  /** Between blocks, as near to the middle as can be; in the middle of a single block. */
  #middle(from: number, to: number): number {
    const middle = from + ((to - from) >> 1);
    let best: number | undefined;
    for (const start of this.#starts) {
      if (start <= from || start >= to) continue;
      if (best === undefined || Math.abs(start - middle) < Math.abs(best - middle)) best = start;
    }
    return best ?? middle;
  }
}

/** Reads digits bit by bit; behind the end all are 0. */
class Bits {
  readonly #digits: string;
  #at = 0;

  constructor(digits: string) {
    this.#digits = digits;
  }

  next(): number {
    const at = this.#at++;
    const digit = this.#digits[Math.floor(at / BITS_PER_DIGIT)];
    if (digit === undefined) return 0;
    return (Number.parseInt(digit, 16) >> (BITS_PER_DIGIT - 1 - (at % BITS_PER_DIGIT))) & 1;
  }
}

function toDigits(bits: readonly number[]): string {
  let digits = '';
  for (let at = 0; at < bits.length; at += BITS_PER_DIGIT) {
    let digit = 0;
    for (let i = 0; i < BITS_PER_DIGIT; i++) digit = digit * 2 + (bits[at + i] ?? 0);
    digits += digit.toString(16);
  }
  return digits;
}

/** How much some marks say: more with each unit that is recorded. */
export function weightOf(marks: string): number {
  let weight = 0;
  for (const digit of marks) {
    const value = Number.parseInt(digit, 16);
    if (Number.isNaN(value)) throw new InvariantError('marks are hexadecimal digits');
    for (let bits = value; bits > 0; bits >>= 1) weight += bits & 1;
  }
  return weight;
}
