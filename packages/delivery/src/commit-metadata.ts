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
}

/** Without and with a term, and of a cut whose lanes go in apart. */
const VERSION = '1';
const VERSION_TERM = '2';
const VERSION_APART = '3';

/** Well under the broker's bound of 4,096 bytes: the sink bounds what is refused of one cut by itself. */
export function encodeCommitMetadata(metadata: CommitMetadata): string {
  const { mark, state, term = 0, refused = new Map(), apart = false } = metadata;
  const { epoch, owner, rawLast } = state;
  const head = [mark ?? '', epoch, owner, rawLast];
  // Without a cut nothing is apart: a sink from before lanes can take over there.
  const isApart = apart && mark !== null;
  if (term === 0 && refused.size === 0 && !isApart) return [VERSION, ...head].join(';');
  const marks = [...refused].map(([part, digits]) => `${part}.${digits}`);
  return [isApart ? VERSION_APART : VERSION_TERM, ...head, term, marks.join(',')].join(';');
}

const HEAD = /(\d*);(\d+);([0-9a-f]*);(-?\d+)/.source;
const MARKS = /\d+[.][0-9a-f]+/.source;
const LATER = `[${VERSION_TERM}${VERSION_APART}]`;
const FORM = new RegExp(`^(?:${VERSION};${HEAD}|${LATER};${HEAD};(\\d+);((?:${MARKS}(?:,${MARKS})*)?))$`);

/** Whether a commit is one of ours; an operator's hand leaves none or another. */
export function isCommitMetadata(text: string): boolean {
  return FORM.test(text);
}

/** Metadata of another version or form reads as none: the reader then starts from what the log itself says. */
export function decodeCommitMetadata(text: string): CommitMetadata {
  const match = FORM.exec(text);
  if (match === null) return { mark: null, state: INITIAL_STATE };
  const [term, refused] = match.slice(9);
  const [mark, epoch, owner, rawLast] = term === undefined ? match.slice(1, 5) : match.slice(5, 9);
  return {
    mark: mark === '' ? null : Number(mark),
    state: { epoch: Number(epoch), owner: owner ?? '', rawLast: Number(rawLast) },
    ...(term === undefined ? {} : { term: Number(term) }),
    ...(refused === undefined || refused === '' ? {} : { refused: new Map(refused.split(',').map(readRefused)) }),
    ...(text.startsWith(VERSION_APART) ? { apart: true } : {}),
  };
}

function readRefused(field: string): [part: number, marks: string] {
  const [part = '', marks = ''] = field.split('.');
  return [Number(part), marks];
}
