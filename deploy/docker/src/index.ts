export { PREPARE_CONFIG } from './config.ts';
export { type Prepared, prepare } from './prepare.ts';
