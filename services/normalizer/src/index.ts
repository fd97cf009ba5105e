export { Transcoder } from './transcode/transcoder.ts';
