import type { FollowerEvents } from './follower.ts';

/** What a follower's lines go to; a pino logger fits. */
export interface FollowerLogger {
  warn(details: object, message: string): void;
  debug(details: object, message: string): void;
}

/** A line of the log for each thing that a follower tells. */
export function followerLines(logger: FollowerLogger): FollowerEvents {
  return {
    unreadable: (key) => logger.warn({ tenant: key }, 'a tenant record cannot be read and is passed over'),
    failed: (error) => logger.debug({ err: error }, 'the tenants are not followed at the moment'),
    unsaved: (error) => logger.warn({ err: error }, 'the copy of the tenants for the next start cannot be written'),
  };
}
