export { NORMALIZER_CONFIG } from './config.ts';
export { NORMALIZER_METRICS } from './metrics.ts';
export { Transcoder } from './transcode/transcoder.ts';
