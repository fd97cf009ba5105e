/** A record that this code cannot read: an unknown version, or bytes that do not fit the layout. */
export interface Unreadable {
  readonly ok: false;
  readonly reason: 'unknown_version' | 'corrupt_record';
  readonly message: string;
}

export type Readable<T> = { readonly ok: true; readonly value: T } | Unreadable;

/** @internal */
export function unknownVersion(layout: string, version: number | undefined): Unreadable {
  return { ok: false, reason: 'unknown_version', message: `${layout}: version ${version ?? 'none'} is not known` };
}

/** @internal */
export function corrupt(layout: string, message: string): Unreadable {
  return { ok: false, reason: 'corrupt_record', message: `${layout}: ${message}` };
}
