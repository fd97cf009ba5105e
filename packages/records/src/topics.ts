/** Name of a parallel set of topics and groups; Envoy routes `x-ingest-version: v2` to track v2. */
export type Track = string;

const TRACK = /^v[1-9][0-9]{0,2}$/;

/** Whether `value` may be used as a track: `v` and a number from 1 to 999. */
export function isTrack(value: string): value is Track {
  return TRACK.test(value);
}

/** The topics of one track. Raw partition p feeds rows partition p only. */
export function trackTopics(track: Track): { readonly raw: string; readonly rows: string } {
  return { raw: `weir.raw.${track}`, rows: `weir.rows.${track}` };
}

/** The consumer groups of one track. */
export function trackGroups(track: Track): { readonly normalizer: string; readonly sink: string } {
  return { normalizer: `weir.normalizer.${track}`, sink: `weir.sink.${track}` };
}

/** Topics that all tracks share. `tenants` and `progress` are compacted; `flow` and `demand` are short-lived; `redrives` outlives `dlq`. */
export const CONTROL_TOPICS = {
  tenants: 'weir.tenants',
  flow: 'weir.flow',
  demand: 'weir.demand',
  dlq: 'weir.dlq',
  progress: 'weir.progress',
  redrives: 'weir.redrives',
} as const;
