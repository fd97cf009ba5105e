import { TABLES } from '@weir/records';
import { type Migration, onCluster, tableName } from './migration.ts';

/** What an insert and its merges cost (ADR 0016). Parts from before stay as they are, and are read and merged beside the others. */
const SETTINGS = [
  // An insert makes a compact part: all columns in one file. What is merged is wide.
  'min_level_for_wide_part = 1',
  // Strings within maps have their sizes beside them. Columns of strings keep a stream of sizes, by which ParentSpanId = '' is quick.
  'propagate_types_serialization_versions_to_nested_types = 0',
  // Merges would otherwise count the distinct values of each column.
  "auto_statistics_types = ''",
].join(', ');

const LOOK_UP = 'otel_traces_trace_id_ts';

export const LEAN_PARTS: Migration = {
  version: 7,
  name: 'lean-parts',
  statements: (target) =>
    [...TABLES.filter((table) => table.startsWith('otel_')), LOOK_UP].map(
      (table) => `ALTER TABLE ${tableName(target, table)}${onCluster(target)} MODIFY SETTING ${SETTINGS}`,
    ),
};
