import { INITIAL_STATE, type ReaderState } from './rows-reader.ts';

/**
 * What a commit says beside its offset. For the sink `mark` is the last offset of the recorded cut, for the normalizer
 * the rows offset from which `state` holds; null where there is none.
 */
export interface CommitMetadata {
  readonly mark: number | null;
  readonly state: ReaderState;
  /** Which owner of the partition wrote it, counted: what an earlier one said is nothing against it. 0 where none is counted. */
  readonly term?: number;
  /** What was refused of the cut, by the number of the part: the marks of RefusedUnits. Mostly there is none. */
  readonly refused?: ReadonlyMap<number, string>;
  /**
   * The cut's rows go in lane by lane, each lane under a token of its own; else each table's as one, as all cuts before did. A
   * change of what goes in together needs a new version.
   */
  readonly apart?: boolean;
  /** The other partitions of a cut of several that this one leads, in the order of their rows. */
  readonly members?: readonly number[];
  /** The cut of several that this partition is a member of: it goes in with that one. */
  readonly leader?: LeaderOfCut;
}

/** What names a cut of several partitions: the partition that leads it, and the first offset of it there. */
export interface LeaderOfCut {
  readonly partition: number;
  readonly first: number;
}

/** Of one cut: with as many of them, and all that may be refused of it, a commit is within the broker's bound. */
export const CUT_PARTITIONS_MAX = 64;

/** Without and with a term, of a cut whose lanes go in apart, and of one of several partitions. */
const VERSION = '1';
const VERSION_TERM = '2';
const VERSION_APART = '3';
const VERSION_SEVERAL = '4';

/** Well under the broker's bound of 4,096 bytes: the sink bounds what is refused of one cut by itself. */
export function encodeCommitMetadata(metadata: CommitMetadata): string {
  const { mark, state, term = 0, refused = new Map(), apart = false, members = [], leader } = metadata;
  const { epoch, owner, rawLast } = state;
  const head = [mark ?? '', epoch, owner, rawLast];
  const marks = [...refused].map(([part, digits]) => `${part}.${digits}`);
  const others = leader === undefined ? members.join(',') : `${leader.partition}.${leader.first}`;
  // Without a cut there are no lanes and no others: an older sink can take over there.
  if (others !== '' && mark !== null)
    return [VERSION_SEVERAL, ...head, term, marks.join(','), apart ? APART : WHOLE, others].join(';');
  const isApart = apart && mark !== null;
  if (term === 0 && refused.size === 0 && !isApart) return [VERSION, ...head].join(';');
  return [isApart ? VERSION_APART : VERSION_TERM, ...head, term, marks.join(',')].join(';');
}

const APART = 'a';
const WHOLE = 'w';
const HEAD = /(?<mark>\d*);(?<epoch>\d+);(?<owner>[0-9a-f]*);(?<rawLast>-?\d+)/.source;
const MARK = /\d+[.][0-9a-f]+/.source;
const TERM = `(?<term>\\d+);(?<refused>(?:${MARK}(?:,${MARK})*)?)`;
const OTHERS = /(?<lanes>[aw]);(?:(?<leader>\d+[.]\d+)|(?<members>\d+(?:,\d+)*))/.source;
const FORMS = [
  `${VERSION};${HEAD}`,
  `[${VERSION_TERM}${VERSION_APART}];${HEAD};${TERM}`,
  `${VERSION_SEVERAL};${HEAD};${TERM};${OTHERS}`,
].map((form) => new RegExp(`^${form}$`));

/** Whether a commit is one of ours; an operator's hand leaves none or another. */
export function isCommitMetadata(text: string): boolean {
  return FORMS.some((form) => form.test(text));
}

/** Metadata of another version or form reads as none: the reader then starts from what the log itself says. */
export function decodeCommitMetadata(text: string): CommitMetadata {
  const fields = FORMS.map((form) => form.exec(text)).find((match) => match !== null)?.groups;
  if (fields === undefined) return { mark: null, state: INITIAL_STATE };
  const { mark = '', epoch, owner = '', rawLast, term, refused = '', lanes, members, leader } = fields;
  return {
    mark: mark === '' ? null : Number(mark),
    state: { epoch: Number(epoch), owner, rawLast: Number(rawLast) },
    ...(term === undefined ? {} : { term: Number(term) }),
    ...(refused === '' ? {} : { refused: new Map(refused.split(',').map(readRefused)) }),
    ...(text.startsWith(VERSION_APART) || lanes === APART ? { apart: true } : {}),
    ...(members === undefined ? {} : { members: members.split(',').map(Number) }),
    ...(leader === undefined ? {} : { leader: readLeader(leader) }),
  };
}

function readLeader(field: string): LeaderOfCut {
  const [partition, first] = field.split('.');
  return { partition: Number(partition), first: Number(first) };
}

function readRefused(field: string): [part: number, marks: string] {
  const [part = '', marks = ''] = field.split('.');
  return [Number(part), marks];
}
