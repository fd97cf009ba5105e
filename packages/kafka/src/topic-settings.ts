/** One setting of a topic as the broker describes it. */
export interface DescribedSetting {
  readonly configName: string;
  readonly configValue: string | null;
  readonly configSource: number;
}

/** What has to be written so that a topic has its settings. */
export interface SettingsChange {
  /** All dynamic settings that the topic must have; undefined: it has them. */
  readonly entries?: { readonly name: string; readonly value: string }[];
  /** It keeps its records for longer than it should, and goes on to. */
  readonly isKeptLonger: boolean;
}

/** `TOPIC_CONFIG` of the protocol: set for this topic, not a default. */
const SET_FOR_TOPIC = 1;
const UNBOUNDED = -1;
const RETENTION: ReadonlySet<string> = new Set(['retention.ms', 'retention.bytes']);

/**
 * Brings together what a topic has and what it should have. Kafka's AlterConfigs forgets every setting that it is not sent, so
 * what was set by hand is sent again. A retention that is longer than it should be stays unless `mayShorten`: somebody may have
 * gained time for what is not read yet, and Kafka would drop it.
 */
export function settingsChange(
  described: readonly DescribedSetting[],
  wanted: Readonly<Record<string, string>>,
  mayShorten: boolean,
): SettingsChange {
  const now = new Map(described.map(({ configName, configValue }) => [configName, configValue]));
  const isLonger = (name: string, value: string) => RETENTION.has(name) && boundOf(now.get(name)) > boundOf(value);
  const kept = mayShorten ? [] : Object.entries(wanted).filter(([name, value]) => isLonger(name, value));
  const keptNames = new Set(kept.map(([name]) => name));
  const settled = Object.entries(wanted).filter(([name]) => !keptNames.has(name));
  const isKeptLonger = kept.length > 0;
  if (settled.every(([name, value]) => now.get(name) === value)) return { isKeptLonger };
  const all = new Map<string, string>();
  for (const { configName, configValue, configSource } of described) {
    if (configSource === SET_FOR_TOPIC && configValue !== null) all.set(configName, configValue);
  }
  for (const [name, value] of settled) all.set(name, value);
  return { isKeptLonger, entries: [...all].map(([name, value]) => ({ name, value })) };
}

/** Negative is without bound. What the broker does not say is shorter than all: it is written. */
function boundOf(value: string | null | undefined): number {
  if (value === undefined || value === null) return Number.NEGATIVE_INFINITY;
  const bound = Number(value);
  return bound <= UNBOUNDED ? Number.POSITIVE_INFINITY : bound;
}
