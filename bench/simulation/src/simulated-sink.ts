import { type GroupEvents, GroupWorkers, type Log, ProgressLog } from '@weir/delivery';
import { type BatchCut, BatchInserter, Cutter, HeldAnswers, type InsertEvents, PartitionWorker } from '@weir/sink';
import { SIMULATED_BLOCKS } from './simulated-blocks.ts';
import type { Inserts, SimulatedClickHouse } from './simulated-clickhouse.ts';
import type { SimulatedGroup } from './simulated-group.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import { logReading, memberReading, type Reading } from './simulated-reading.ts';

/** Few, so that it is reached. */
const SPLITS_MAX = 5;
const LANE_ROWS_MIN = 2;
const BOUNDS = { ageMsMax: 60, bytesMax: 7_200, rowsMax: 12, blockBytesMax: 1_000 };
/** More than one partition may have, so that several go together also where they are full. */
const ROOM = { bytesMax: 18_000, rowsMax: 30, blockBytesMax: 2_500 };

/** Where a sink runs, and what it understands. */
export interface SinkPlace {
  readonly process: SimulatedProcess;
  readonly group: SimulatedGroup;
  readonly log: Log;
  readonly clickhouse: SimulatedClickHouse;
  readonly topic: string;
  readonly revision: number;
  readonly reading: Reading;
  readonly events: GroupEvents;
  readonly tell: (what: string) => void;
  readonly onStored: (cut: BatchCut) => void;
}

/** A sink made of the service's own code. */
export function createSimulatedSink(place: SinkPlace): GroupWorkers<PartitionWorker> {
  const { process, group, topic, revision, reading, tell } = place;
  const { clock } = process;
  const membership = memberReading(group.membership(process, revision), reading);
  const log = logReading(process.log(place.log), reading);
  const clickhouse: Inserts = {
    insertBlocks: (insert) => process.through(() => place.clickhouse.insertBlocks(insert, group.ownership(process))),
  };
  const events: InsertEvents = {
    inserted: (table, rows) => tell(`inserted ${rows} rows into ${table}`),
    failed: (table, error) => tell(`insert into ${table}: ${error.code}`),
    refused: (table) => tell(`insert into ${table}: refused`),
    passedOverView: (table) => tell(`passed over a view of ${table}`),
    deadLettered: (reason) => tell(`dead-lettered: ${reason}`),
  };
  const seams = { blocks: SIMULATED_BLOCKS, splitsMax: SPLITS_MAX, laneRowsMin: LANE_ROWS_MIN };
  const onStored = (cut: BatchCut) => {
    const stored = cut.ranges.map(({ partition, first, last }) => `${partition}: ${first}..${last}`);
    tell(`stored ${stored.join(', ')}`);
    place.onStored(cut);
  };
  const inserter = new BatchInserter(clickhouse, log, topic, clock, events, seams);
  const parts = { membership, progress: new ProgressLog(log, topic), inserter, clock, onStored };
  const cutter = new Cutter({ ...parts, room: ROOM, lateMsMax: BOUNDS.ageMsMax });
  const worker = { ...parts, log, answers: new HeldAnswers(), cutter, topic, bounds: BOUNDS };
  return new GroupWorkers(
    membership,
    clock,
    place.events,
    (partition, _former, agreed) =>
      new PartitionWorker(partition, {
        ...worker,
        revision: agreed,
        onTakeOver: (cut) => tell(cut ? 'takes over with a cut' : 'takes over'),
        onLost: (_partition, records) => tell(`lost ${records} rows records`),
      }),
  );
}
