export { EDGE_CONFIG } from './config.ts';
export { EDGE_METRICS } from './metrics.ts';
export { Books, bookedAs } from './publish/books.ts';
export { Publisher } from './publish/publisher.ts';
