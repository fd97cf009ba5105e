export { type Inflated, Inflater } from './admit/inflate.ts';
export { EDGE_CONFIG } from './config.ts';
export { EDGE_METRICS } from './metrics.ts';
