export { SINK_CONFIG } from './config.ts';
export { SINK_METRICS } from './metrics.ts';
