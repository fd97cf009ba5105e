import { INITIAL_STATE, type ReaderState } from './rows-reader.ts';

/**
 * What a commit says beside its offset. For the sink `mark` is the last offset of the recorded cut, for the normalizer
 * the rows offset from which `state` holds; null where there is none.
 */
export interface CommitMetadata {
  readonly mark: number | null;
  readonly state: ReaderState;
  /** Tables whose part of the cut is inserted block by block, by their wire index; empty but for refused rows. */
  readonly split?: readonly number[];
}

const VERSION = '1';

/** Well under the broker's bound of 4,096 bytes. */
export function encodeCommitMetadata(metadata: CommitMetadata): string {
  const { epoch, owner, rawLast } = metadata.state;
  const fields = [VERSION, metadata.mark ?? '', epoch, owner, rawLast];
  if (metadata.split !== undefined && metadata.split.length > 0) fields.push(metadata.split.join('.'));
  return fields.join(';');
}

const FORM = /^1;(\d*);(\d+);([0-9a-f]*);(-?\d+)(?:;([\d.]+))?$/;

/** Whether a commit is one of ours; an operator's hand leaves none or another. */
export function isCommitMetadata(text: string): boolean {
  return FORM.test(text);
}

/** Metadata of another version or form reads as none: the reader then starts from what the log itself says. */
export function decodeCommitMetadata(text: string): CommitMetadata {
  const match = FORM.exec(text);
  if (match === null) return { mark: null, state: INITIAL_STATE };
  const [, mark, epoch, owner, rawLast, split] = match;
  return {
    mark: mark === '' ? null : Number(mark),
    state: { epoch: Number(epoch), owner: owner ?? '', rawLast: Number(rawLast) },
    ...(split === undefined ? {} : { split: split.split('.').map(Number) }),
  };
}
