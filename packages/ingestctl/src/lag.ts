import { isTrack, trackGroups, trackTopics } from '@weir/records';
import { type Context, UsageError } from './context.ts';
import { printRows } from './output.ts';

/** How far each group is behind in each partition, in records. */
export async function lag(context: Context, options: { readonly tracks: string }): Promise<number> {
  const admin = context.kafkaAdmin();
  const rows: (string | number)[][] = [];
  for (const track of options.tracks.split(',')) {
    if (!isTrack(track)) throw new UsageError('--tracks must be v1, v2, … with commas between');
    const groups = trackGroups(track);
    const topics = trackTopics(track);
    for (const [group, topic] of [
      [groups.normalizer, topics.raw],
      [groups.sink, topics.rows],
    ] as const) {
      for (const { partition, committed, start, end } of await admin.lag(group, topic)) {
        rows.push([group, topic, partition, committed, end, end - Math.max(committed, start)]);
      }
    }
  }
  const headings = ['group', 'topic', 'partition', 'committed', 'end', 'lag'];
  printRows(context.outside, context.options.json === true, headings, rows);
  return 0;
}
