export type { DeadLetter, PoisonRecord, RawEntry, RawExport, RawNote } from './exports.ts';
export { inflate } from './inflate.ts';
export { type Normalized, type NormalizeEvents, Normalizer, type RawSource } from './normalizer.ts';
export { readRawEntry, remember } from './raw-entry.ts';
export { RowsRecordBuilder } from './rows-record.ts';
export { Transcoder } from './transcode/transcoder.ts';
