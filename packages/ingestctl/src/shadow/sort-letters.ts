import type { DeadMark } from '../replay/replay-dead.ts';
import type { WindowLetter, WindowLetters } from './window-letters.ts';

/** Why a raw record is left as it is, in words for the operator. */
export const WHY_LEFT = {
  redriven: 'dead letters of them were redriven: their items are in live in another place',
  sending: 'dead letters of them are being redriven: end that with ingestctl dlq redrive, and run this again',
  promoting: 'a promotion of another replay was cut off and holds their dead letters: run that one again',
  beyond: 'dead letters hold rows of them and of others that are not promoted: redrive those letters',
  lesser:
    'the replay could not store items of them that live has, or parts of their dead letters: redrive those letters',
  gone: 'weir.dlq has let go of dead letters of them',
  unread: 'the live path could not read them: the books have nothing of them',
  stuck: 'live has rows of them that the shadow has not; redrive their dead letters',
} as const;

export type WhyLeft = keyof typeof WHY_LEFT;

/** What the shadow has of a raw record. */
export interface ShadowRecord {
  readonly rows: number;
  /** Of receipt, days since the epoch. */
  readonly day: number;
}

/** What is known of the records of a window that have letters. */
export interface LetterFacts extends Omit<WindowLetters, 'missing'> {
  readonly replay: string;
  /** What the replay could not store, by raw position. */
  readonly dead: ReadonlyMap<bigint, readonly DeadMark[]>;
  readonly shadow: ReadonlyMap<bigint, ShadowRecord>;
  /** Raw positions with letters whose live rows stay, so that nothing is inserted. */
  readonly stuck: ReadonlySet<bigint>;
  readonly isInWindow: (position: bigint) => boolean;
}

/** A letter whose items come back, all of them. */
export interface ComingBack extends WindowLetter {
  /** The day that the books have it under, days since the epoch. */
  readonly bookedDay: number;
}

export interface SortedLetters {
  /** To be claimed. */
  readonly free: readonly ComingBack[];
  /** Claimed by a promotion of this replay that has not ended. */
  readonly own: readonly ComingBack[];
  readonly left: ReadonlyMap<bigint, WhyLeft>;
}

/**
 * Says which letters come back with their raw records, and which records are left alone so that no item is there twice. A letter
 * comes back as a whole or its records are left: those which the replay could not store either, byte for byte, do not, and can be
 * redriven as before. So the books can be put right letter by letter.
 */
export function sortLetters(facts: LetterFacts): SortedLetters {
  const left = new Map<bigint, WhyLeft>();
  const leave = (position: bigint, why: WhyLeft) => {
    if (!left.has(position)) left.set(position, why);
  };
  for (const why of ['gone', 'unread'] as const) {
    for (const position of facts[why]) if (facts.shadow.has(position)) leave(position, why);
  }
  const coming = withoutStaying(facts, leave);
  for (const letter of coming) for (const why of obstacles(letter, facts)) leave(why.position, why.why);
  checkCounts(coming, facts, leave);
  // A letter goes as a whole: with one of its records all are left.
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    for (const letter of coming) {
      if (letter.kind !== 'rows' || isInPlace(letter)) continue;
      const positions = [...letter.places.keys()];
      if (positions.some((position) => left.has(position))) for (const each of positions) leave(each, 'beyond');
    }
  }
  const whole = coming.filter(
    (letter) => !isInPlace(letter) && [...letter.places.keys()].every((position) => !left.has(position)),
  );
  const back = whole.flatMap((letter): ComingBack[] => {
    const [position] = letter.places.keys();
    const bookedDay = letter.day ?? facts.shadow.get(position!)?.day;
    return bookedDay === undefined ? [] : [{ ...letter, bookedDay }];
  });
  const isOwn = ({ promoter }: WindowLetter) => promoter === facts.replay;
  return { free: back.filter((letter) => !isOwn(letter)), own: back.filter(isOwn), left };
}

/** Its items are in the live tables at their own raw positions, or will be decided there. */
function isInPlace({ kind, state }: WindowLetter): boolean {
  return state === 'promoted' || (state === 'redriven' && kind === 'rows');
}

/** The letters but those that the replay gave up again, and those of records of which it made nothing. */
function withoutStaying(facts: LetterFacts, leave: (position: bigint, why: WhyLeft) => void): WindowLetter[] {
  const unmatched = new Map([...facts.dead].map(([position, marks]) => [position, [...marks]]));
  const coming = facts.letters.filter((letter) => {
    if (letter.kind === 'rows') return true;
    const [position] = letter.places.keys();
    const marks = unmatched.get(position!) ?? [];
    const at = isInPlace(letter)
      ? -1
      : marks.findIndex(
          ({ reason, items, digest }) => reason === letter.reason && items === letter.items && digest === letter.digest,
        );
    if (at >= 0) marks.splice(at, 1);
    return at < 0 && facts.shadow.has(position!);
  });
  // What the replay gave up, and the live path did not: the shadow has less than live, or only a part of a letter.
  for (const [position, marks] of unmatched) if (marks.length > 0) leave(position, 'lesser');
  return coming;
}

function obstacles(letter: WindowLetter, facts: LetterFacts): { position: bigint; why: WhyLeft }[] {
  const positions = [...letter.places.keys()];
  const all = (why: WhyLeft) => positions.map((position) => ({ position, why }));
  if (isInPlace(letter)) return [];
  if (letter.state === 'redriven') return all('redriven');
  if (letter.state === 'sending' && letter.promoter === undefined) return all('sending');
  if (letter.state === 'sending' && letter.promoter !== facts.replay) return all('promoting');
  if (positions.some((position) => !facts.isInWindow(position))) return all('beyond');
  return positions.filter((position) => facts.stuck.has(position)).map((position) => ({ position, why: 'stuck' }));
}

/** The shadow must have room for all that comes back. */
function checkCounts(
  coming: readonly WindowLetter[],
  { shadow }: LetterFacts,
  leave: (position: bigint, why: WhyLeft) => void,
): void {
  const wanted = new Map<bigint, number>();
  for (const letter of coming) {
    if (isInPlace(letter)) continue;
    for (const [position, items] of letter.places) wanted.set(position, (wanted.get(position) ?? 0) + items);
  }
  for (const [position, items] of wanted) if ((shadow.get(position)?.rows ?? 0) < items) leave(position, 'lesser');
}
