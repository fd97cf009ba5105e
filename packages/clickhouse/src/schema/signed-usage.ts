import { type Migration, onCluster, tableName } from './migration.ts';

/** Rows that a sink dead-letters were booked as stored: that is taken back by a row below zero. */
export const SIGNED_USAGE: Migration = {
  version: 5,
  name: 'signed-usage',
  statements: (target) => [
    `ALTER TABLE ${tableName(target, 'weir_usage')}${onCluster(target)} MODIFY COLUMN Items Int64, MODIFY COLUMN Bytes Int64`,
  ],
};
