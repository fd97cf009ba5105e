export type { Committed, Log, LogPage, LogRecord, Membership, MembershipEvents, NewRecord } from './log.ts';
