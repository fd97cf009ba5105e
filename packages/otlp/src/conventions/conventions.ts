import data from './renames.json' with { type: 'json' };

/** Whose attributes a release of the semantic conventions renames. */
export type Part = 'resource' | 'span' | 'span_event' | 'link' | 'log';

/** From the name that was sent to the one of today. */
export type Renames = ReadonlyMap<string, string>;

interface Release {
  readonly version: string;
  readonly all?: Readonly<Record<string, string>>;
  readonly resource?: Readonly<Record<string, string>>;
  readonly span?: Readonly<Record<string, string>>;
  readonly span_event?: Readonly<Record<string, string>>;
  readonly log?: Readonly<Record<string, string>>;
  readonly metricNames?: Readonly<Record<string, string>>;
  readonly metricAttributes?: readonly {
    /** By the names that they have before this release; left out: all. */
    readonly metrics?: readonly string[];
    readonly rename: Readonly<Record<string, string>>;
  }[];
}

/** Oldest first. Facts of OpenTelemetry's schema file; see `source` and `license` in the data. */
const RELEASES: readonly Release[] = data.releases as never;

/** The version that names are brought to. */
export const CONVENTIONS_VERSION: string = data.version;

/** Every version that has a schema, oldest first. */
export const CONVENTIONS_VERSIONS: readonly string[] = RELEASES.map(({ version }) => version);

export const CONVENTIONS_SCHEMA_URL = `https://opentelemetry.io/schemas/${CONVENTIONS_VERSION}`;

const SCHEMA_URL = /^https?:\/\/opentelemetry\.io\/schemas\/(\d+\.\d+\.\d+)$/;
const SCHEMA_URL_LENGTH_MAX = 64;

/** The version that a schema URL names; undefined where it is not one of OpenTelemetry's that is known here. */
export function conventionsOf(schemaUrl: string): string | undefined {
  if (schemaUrl.length > SCHEMA_URL_LENGTH_MAX) return undefined;
  const version = SCHEMA_URL.exec(schemaUrl)?.[1];
  return version !== undefined && CONVENTIONS_VERSIONS.includes(version) ? version : undefined;
}

const upgrades = new Map<string, Upgrade>();

/** What has been renamed since a version; undefined where nothing is to be done: unknown, or not older. */
export function upgradeFrom(version: string): Upgrade | undefined {
  const at = CONVENTIONS_VERSIONS.indexOf(version);
  if (at < 0 || version === CONVENTIONS_VERSION) return undefined;
  const upgrade = upgrades.get(version) ?? new Upgrade(RELEASES.slice(at + 1));
  upgrades.set(version, upgrade);
  return upgrade;
}

/** All renames of some releases that follow each other, as one step. */
export class Upgrade {
  readonly #releases: readonly Release[];
  readonly #parts: Readonly<Record<Part, Renames>>;
  readonly metricNames: Renames;
  readonly #points = new Map<string, Renames>();
  /** Most metrics have the same rules. */
  readonly #bySteps = new Map<string, Renames>();
  /** Of metrics that no release names. */
  readonly #otherPoints: Renames;
  readonly #named: ReadonlySet<string>;

  constructor(releases: readonly Release[]) {
    this.#releases = releases;
    const compose = (of: (release: Release) => (Readonly<Record<string, string>> | undefined)[]) =>
      composed(releases.flatMap(of));
    this.#parts = {
      resource: compose(({ all, resource }) => [all, resource]),
      span: compose(({ all, span }) => [all, span]),
      span_event: compose(({ all, span_event }) => [all, span_event]),
      link: compose(({ all }) => [all]),
      log: compose(({ all, log }) => [all, log]),
    };
    this.metricNames = compose(({ metricNames }) => [metricNames]);
    this.#named = new Set([
      ...this.metricNames.keys(),
      ...releases.flatMap(({ metricAttributes = [] }) => metricAttributes.flatMap(({ metrics = [] }) => metrics)),
    ]);
    this.#otherPoints = this.#pointsOf('');
  }

  attributes(part: Part): Renames {
    return this.#parts[part];
  }

  /** Attributes of the data points of a metric, by the name that was sent. */
  points(metricName: string): Renames {
    if (!this.#named.has(metricName)) return this.#otherPoints;
    const known = this.#points.get(metricName) ?? this.#pointsOf(metricName);
    this.#points.set(metricName, known);
    return known;
  }

  /** A metric's name changes from release to release, and so do the rules for it. */
  #pointsOf(metricName: string): Renames {
    let name = metricName;
    const steps: (Readonly<Record<string, string>> | undefined)[] = [];
    const own: string[] = [];
    for (const { version, all, metricAttributes = [], metricNames = {} } of this.#releases) {
      steps.push(all);
      for (const [at, { metrics, rename }] of metricAttributes.entries()) {
        if (metrics !== undefined && !metrics.includes(name)) continue;
        steps.push(rename);
        own.push(`${version}/${at}`);
      }
      name = metricNames[name] ?? name;
    }
    const key = own.join(' ');
    const renames = this.#bySteps.get(key) ?? composed(steps);
    this.#bySteps.set(key, renames);
    return renames;
  }
}

/** One step of many: what the first renames, a later one may rename again. */
function composed(steps: readonly (Readonly<Record<string, string>> | undefined)[]): Renames {
  const renames = new Map<string, string>();
  for (const step of steps) {
    if (step === undefined) continue;
    for (const [sent, now] of renames) renames.set(sent, step[now] ?? now);
    for (const [sent, now] of Object.entries(step)) if (!renames.has(sent)) renames.set(sent, now);
  }
  for (const [sent, now] of renames) if (sent === now) renames.delete(sent);
  return renames;
}
