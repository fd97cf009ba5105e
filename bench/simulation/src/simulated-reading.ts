import { type Committed, type Log, type Membership, REVISIONS } from '@weir/delivery';
import { CONTROL_TOPICS, decodeProgress, encodeProgress } from '@weir/records';
import type { Rule } from './rules.ts';

/** A sink's sight of positions: what it makes of the metadata of one. */
export type Reading = (metadata: string) => string;

/** A sink from before lanes: it knows neither a cut whose lanes go in apart, nor one of several partitions. */
const BEFORE_LANES: Reading = (metadata) => (/^[34];/.test(metadata) ? 'not known' : metadata);

/** A sink from before cuts of several partitions. */
const BEFORE_SEVERAL: Reading = (metadata) => (metadata.startsWith('4;') ? 'not known' : metadata);

/** A sink that does not heed by which rule a cut was made. */
const ALWAYS_APART: Reading = (metadata) =>
  metadata.replace(/^2;(?=[0-9])/, '3;').replace(/^(4;.*);w;(?!\d+[.])/, '$1;a;');

/** How a sink of a former revision reads positions, or one of the present with a rule switched off. */
export function readingOf(former: number | undefined, without: Rule | undefined): Reading {
  if (former === REVISIONS.first) return BEFORE_LANES;
  if (former === REVISIONS.lanes) return BEFORE_SEVERAL;
  return without === 'rule' ? ALWAYS_APART : (metadata) => metadata;
}

/** A membership of a sink that reads positions so. */
export function memberReading(membership: Membership, reading: Reading): Membership {
  return {
    ...membership,
    committed: async (partition, signal) => {
      const committed = await membership.committed(partition, signal);
      return committed === null ? null : read(committed, reading);
    },
  };
}

/** A log of a sink that reads positions so. */
export function logReading(log: Log, reading: Reading): Log {
  return {
    append: (...args) => log.append(...args),
    bounds: (...args) => log.bounds(...args),
    read: async (topic, ...args) => {
      const page = await log.read(topic, ...args);
      if (topic !== CONTROL_TOPICS.progress) return page;
      const records = page.records.map((record) => {
        const decoded = decodeProgress(record.value);
        return decoded.ok ? { ...record, value: encodeProgress(read(decoded.value, reading)) } : record;
      });
      return { ...page, records };
    },
  };
}

function read({ offset, metadata }: Committed, reading: Reading): Committed {
  return { offset, metadata: reading(metadata) };
}
