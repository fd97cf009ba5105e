import { CutLedger, EdgeMarks, PartitionLane, ProgressLog, RowsReader, RowsWriter } from '@weir/delivery';
import { Books } from '@weir/edge';
import { PartitionWorker as NormalizerWorker } from '@weir/normalizer';
import { RecordedCuts } from '@weir/sink';

/**
 * The rules of the protocol; each is needed. `token`, `view` and `lane` are ClickHouse's own and are switched off in the
 * simulated one; `rule`, `agree` and `atomic` are switched off around the sinks, `filled` and `flushed` where the power fails; `settle` is inside the lane and is switched off by taking it out of what the lane sends.
 */
export const RULES = [
  'seq',
  'epoch',
  'retained',
  'filled',
  'flushed',
  'carried',
  'range',
  'gap',
  'cut',
  'split',
  'progress',
  'token',
  'view',
  'lane',
  'rule',
  'agree',
  'wait',
  'others',
  'behind',
  'atomic',
  'doubt',
  'settle',
  'late',
  'tell',
  'drain',
] as const;

export type Rule = (typeof RULES)[number];

/** Runs something with one rule of the protocol's own code switched off. */
export async function without<T>(rule: Rule | undefined, run: () => Promise<T>): Promise<T> {
  const restore = rule === undefined ? () => undefined : SWITCHES[rule]();
  try {
    return await run();
  } finally {
    restore();
  }
}

const SWITCHES: Readonly<Record<Rule, () => () => void>> = {
  /** An edge's repeated or late append is taken again. */
  seq: () => replace(EdgeMarks.prototype, 'takes', () => () => true),
  /** A former owner's record is taken. */
  epoch: () => replace(RowsReader.prototype, 'isOwners', () => () => true),
  /** A new owner's epoch is above those that the retained log tells of, and no others. */
  retained: () =>
    replace(
      RowsReader.prototype,
      'epochAbove',
      () =>
        function (this: RowsReader) {
          return this.state.epoch + 1;
        },
    ),
  /** After a power failure logs are left as short as they are. */
  filled: () => () => undefined,
  /** What sinks record before they insert is not on the disk of a broker that loses power. */
  flushed: () => () => undefined,
  /** Of raw records that are done, and whose rows are gone, nothing is remembered. */
  carried: () =>
    replace(NormalizerWorker.prototype, 'marksAt', () => async (ownership) => new EdgeMarks(ownership.marks)),
  /** A record whose source has been taken is taken again. */
  range: () => replace(RowsReader.prototype, 'isPassed', () => () => false),
  /** A writer does not look at what stands between its records. */
  gap: () => replace(RowsWriter.prototype, 'owns', () => async () => true),
  /** A batch is inserted without its cut being recorded. */
  cut: () => {
    const record = replace(CutLedger.prototype, 'record', () => async () => undefined);
    const settle = replace(
      CutLedger.prototype,
      'settle',
      (original) =>
        function (this: CutLedger, cut, _next, signal) {
          return original.call(this, cut, null, signal);
        },
    );
    return () => {
      settle();
      record();
    };
  },
  /** Parts of what was refused go in, or to the DLQ, and nobody knows. */
  split: () => replace(CutLedger.prototype, 'refuse', () => async () => undefined),
  /** What the group has lost is nowhere else. */
  progress: () => replace(ProgressLog.prototype, 'read', () => async () => new Map()),
  /** What stays without an answer counts as not there. */
  doubt: () => replace(EdgeMarks.prototype, 'hasAllBefore', () => () => false),
  /** A lane does not say what was in an append without an answer. */
  settle: () => () => undefined,
  /** A lane does not say that what was answered as unknown is there after all. */
  late: () =>
    replace(
      PartitionLane.prototype,
      'note',
      (original) =>
        function (this: PartitionLane, usage) {
          const isLate = usage.every(({ outcome }) => outcome === 'unanswered');
          return isLate ? Promise.resolve(true) : original.call(this, usage);
        },
    ),
  /** An edge that stops keeps what it has not told the books. */
  tell: () => replace(Books.prototype, 'stop', () => async () => undefined),
  /** An edge that stops does not wait for its lanes. */
  drain: () => replace(PartitionLane.prototype, 'drain', () => async () => undefined),
  token: () => () => undefined,
  /** What a view throws on counts as refused, though the table has it. */
  view: () => () => undefined,
  /** Lanes of a cut have the same token. */
  lane: () => () => undefined,
  /** A cut is made again by the rule of who does it, and not by the one that is recorded. */
  rule: () => () => undefined,
  /** Lanes go in apart, and partitions together, while a sink of the group knows nothing of that. */
  agree: () => () => undefined,
  /** Whoever takes over a partition of a cut that another leads inserts it by itself. */
  wait: () => replace(RecordedCuts.prototype, 'isOpen', () => () => false),
  /** That others of a cut have gone on is no sign that it is stored, where the group has lost a position. */
  behind: () => replace(RecordedCuts.prototype, 'isKept', () => () => false),
  /** Whoever takes over the leader of a cut inserts what is its own. */
  others: () =>
    replace(
      RecordedCuts.prototype,
      'read',
      (original) =>
        function (this: RecordedCuts, partition, start, signal) {
          return original.call(this, partition, { ...start, members: [] }, signal);
        },
    ),
  /** A commit of several partitions reaches some of them. */
  atomic: () => () => undefined,
};

/** Puts another method in place of one; returns what puts it back. */
function replace<T extends object, K extends keyof T>(target: T, name: K, make: (original: T[K]) => T[K]): () => void {
  const original = target[name];
  target[name] = make(original);
  return () => {
    target[name] = original;
  };
}
