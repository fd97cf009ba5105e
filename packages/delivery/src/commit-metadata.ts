import { INITIAL_STATE, type ReaderState } from './rows-reader.ts';

/**
 * What a commit says beside its offset. For the sink `mark` is the last offset of the recorded cut, for the normalizer
 * the rows offset from which `state` holds; null where there is none.
 */
export interface CommitMetadata {
  readonly mark: number | null;
  readonly state: ReaderState;
}

const VERSION = '1';

/** Well under the broker's bound of 4,096 bytes. */
export function encodeCommitMetadata(metadata: CommitMetadata): string {
  const { epoch, owner, rawLast } = metadata.state;
  return [VERSION, metadata.mark ?? '', epoch, owner, rawLast].join(';');
}

/** Metadata of another version or form reads as none: the reader then starts from what the log itself says. */
export function decodeCommitMetadata(text: string): CommitMetadata {
  const match = /^1;(\d*);(\d+);([0-9a-f]*);(-?\d+)$/.exec(text);
  if (match === null) return { mark: null, state: INITIAL_STATE };
  const [, mark, epoch, owner, rawLast] = match;
  return {
    mark: mark === '' ? null : Number(mark),
    state: { epoch: Number(epoch), owner: owner ?? '', rawLast: Number(rawLast) },
  };
}
