import { systemClock } from '@weir/pipeline';
import { isTrack } from '@weir/records';
import { type Context, UsageError } from './context.ts';
import { renderStatus } from './status/render.ts';
import { compareSnapshots, type StatusReport } from './status/report.ts';
import { takeSnapshot } from './status/snapshot.ts';

export interface StatusOptions {
  readonly tracks: string;
  readonly admin: readonly string[];
  readonly interval: string;
  readonly watch?: boolean;
}

const INTERVAL_S_MAX = 3_600;
const CLEAR = '\u001b[H\u001b[2J';

/**
 * Shows the pipe with rates and fill; with `watch` again and again until the process is ended.
 * Status 3 where Kafka or ClickHouse does not answer, 1 where a service does not or is not ready.
 */
export async function status(context: Context, options: StatusOptions): Promise<number> {
  const { outside } = context;
  const tracks = options.tracks.split(',');
  if (!tracks.every(isTrack)) throw new UsageError('--tracks must be v1, v2, … with commas between');
  const intervalMs = seconds(options.interval) * 1_000;
  const sources = {
    admins: adminsOf(context, options.admin),
    kafka: context.kafkaAdmin(),
    clickhouse: context.clickhouse(),
    database: context.database,
    tracks,
  };
  let before = await takeSnapshot(sources);
  for (;;) {
    await systemClock.sleep(intervalMs);
    const now = await takeSnapshot(sources);
    const report = compareSnapshots(before, now, tracks);
    if (context.options.json === true) {
      outside.out(`${JSON.stringify(report, null, options.watch === true ? 0 : 2)}\n`);
    } else {
      const redraw = options.watch === true && outside.terminal;
      outside.out(`${redraw ? CLEAR : ''}${renderStatus(report, outside.colours ?? outside.terminal)}`);
    }
    if (options.watch !== true) return exitOf(report);
    before = now;
  }
}

function exitOf({ unreachable, faults }: StatusReport): number {
  if (unreachable) return 3;
  return faults.length > 0 ? 1 : 0;
}

/** NAME=URL each; without any, those of the local stack. */
function adminsOf(context: Context, given: readonly string[]): [string, string][] {
  if (given.length === 0) return Object.entries(context.admins);
  return given.map((text) => {
    const at = text.indexOf('=');
    const url = text.slice(at + 1);
    if (at < 1 || !URL.canParse(url))
      throw new UsageError('--admin must be NAME=URL, such as edge=http://10.0.0.1:9464');
    return [text.slice(0, at), url];
  });
}

function seconds(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0.1 && value <= INTERVAL_S_MAX) return value;
  throw new UsageError(`--interval must be seconds from 0.1 to ${INTERVAL_S_MAX}`);
}
