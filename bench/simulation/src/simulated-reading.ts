import type { Committed, Log, Membership } from '@weir/delivery';
import { CONTROL_TOPICS, decodeProgress, encodeProgress } from '@weir/records';

/** A sink's sight of positions: what it makes of the metadata of one. */
export type Reading = (metadata: string) => string;

/** A sink from before lanes: it does not know a cut whose lanes go in apart. */
export const BEFORE_LANES: Reading = (metadata) => (metadata.startsWith('3;') ? 'not known' : metadata);

/** A sink that does not heed by which rule a cut was made. */
export const ALWAYS_APART: Reading = (metadata) => metadata.replace(/^2;(?=[0-9])/, '3;');

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
