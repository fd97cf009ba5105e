import { systemClock } from '@weir/pipeline';
import { request } from 'undici';

/** One series as promtool takes it: a value for each scrape, `_` where there was none, `stale` where its target went. */
export interface RecordedSeries {
  readonly series: string;
  readonly values: string;
}

export interface Recorded {
  readonly series: readonly RecordedSeries[];
  /** Scrapes; the last is played at one minute less. */
  readonly scrapes: number;
}

/** A scrape a quarter of a second is played as one a minute: what holds for 15 s holds for an hour. */
export const SCRAPE_MS = 250;
const PLAYED_MS = 60_000;
const TIMEOUT_MS = 1_500;
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
/** Times of the future keep their distance; those of the past go at the pace of the play. */
const TO_COME = /_expiry_seconds$/;
const PAST = /_compared_seconds$/;

/**
 * Scrapes processes as Prometheus does, and keeps the series that alerts read, to be played to promtool. Times (s since the epoch) are
 * told from the first scrape on, as promtool's clock begins at 0.
 */
export class Recording {
  readonly #metrics: ReadonlySet<string>;
  readonly #targets: Map<string, string>;
  readonly #values = new Map<string, string[]>();
  readonly #startMs = Date.now();
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #scrapes = 0;

  /**
   * @param targets admin endpoints by job
   * @param metrics names of the series that are kept
   */
  constructor(targets: Readonly<Record<string, string>>, metrics: ReadonlySet<string>) {
    this.#targets = new Map(Object.entries(targets));
    this.#metrics = metrics;
    this.#running = this.#run();
  }

  /** Takes a target away, as the discovery of Prometheus does with one whose name is gone. */
  forget(job: string): void {
    this.#targets.delete(job);
  }

  /** How many scrapes were made so far. */
  get scrapes(): number {
    return this.#scrapes;
  }

  async stop(): Promise<Recorded> {
    this.#stopping.abort();
    await this.#running;
    const series = [...this.#values].map(([name, values]) => ({ series: name, values: values.join(' ') }));
    return { series, scrapes: this.#scrapes };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const dueMs = this.#startMs + this.#scrapes * SCRAPE_MS;
      await systemClock.sleep(Math.max(0, dueMs - Date.now()), signal).catch(() => undefined);
      if (signal.aborted) return;
      const targets = [...this.#targets];
      const texts = await Promise.all(targets.map(([, url]) => scrape(url)));
      for (const [at, text] of texts.entries()) this.#take(targets[at]![0], text);
      this.#scrapes++;
      for (const values of this.#values.values()) if (values.length < this.#scrapes) values.push(gone(values));
    }
  }

  #take(job: string, text: string | undefined): void {
    const own = `job="${job}",instance="${job}"`;
    this.#add(`up{${own}}`, text === undefined ? '0' : '1');
    for (const line of (text ?? '').split('\n')) {
      const [, name = '', labels, value = ''] = SAMPLE.exec(line) ?? [];
      if (!this.#metrics.has(name)) continue;
      this.#add(
        `${name}{${own}${labels === undefined ? '' : `,${labels}`}}`,
        String(this.#asPlayed(name, Number(value))),
      );
    }
  }

  #asPlayed(name: string, value: number): number {
    const sinceS = value - this.#startMs / 1_000;
    if (TO_COME.test(name)) return sinceS;
    return PAST.test(name) && value > 0 ? (sinceS * PLAYED_MS) / SCRAPE_MS : value;
  }

  #add(series: string, value: string): void {
    const values = this.#values.get(series) ?? Array.from({ length: this.#scrapes }, () => '_');
    this.#values.set(series, values);
    values.push(value);
  }
}

/** What Prometheus notes of a series that a scrape does not have: once that it is stale. */
function gone(values: readonly string[]): string {
  const last = values.at(-1);
  return last === undefined || last === '_' || last === 'stale' ? '_' : 'stale';
}

async function scrape(url: string): Promise<string | undefined> {
  try {
    const { body, statusCode } = await request(`${url}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await body.text();
    return statusCode === 200 ? text : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A file for `promtool test rules` that plays what was recorded, with what must be so at its end.
 * @param firing alerts that must have fired at some time; `none` where nothing must have
 */
export function promtoolTest(
  rulesFile: string,
  name: string,
  { series, scrapes }: Recorded,
  firing: readonly string[] | 'none',
): object {
  const which = firing === 'none' ? '' : `,alertname=~"${firing.join('|')}"`;
  const labels = firing === 'none' ? [] : firing.toSorted();
  return {
    rule_files: [rulesFile],
    evaluation_interval: '1m',
    tests: [
      {
        name,
        interval: '1m',
        input_series: series,
        promql_expr_test: [
          {
            expr: `group by (alertname) (last_over_time(ALERTS{alertstate="firing"${which}}[${scrapes}m]))`,
            eval_time: `${scrapes - 1}m`,
            exp_samples: labels.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
          },
        ],
      },
    ],
  };
}
