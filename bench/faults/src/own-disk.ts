import { spawnSync } from 'node:child_process';
import { mkdirSync, statfsSync } from 'node:fs';

const MIB = 1024 ** 2;
/** More than a row writes in all of its seeds. A tmpfs takes memory for what is on it, not for what may be. */
const ROOM_BYTES = 4 * 1024 * MIB;
const REMOUNTS_MAX = 50;

/** A file system for one directory, in memory: it can be full without anything else being so. */
export class OwnDisk {
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** @throws where mounting is not allowed, as it is not to a user other than root, or in most containers */
  static mount(dir: string): OwnDisk {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    mount(['-t', 'tmpfs', '-o', `size=${ROOM_BYTES},mode=700`, 'tmpfs', dir]);
    return new OwnDisk(dir);
  }

  /** Takes away the room that is left, but for so much. */
  fill(leftBytes: number): void {
    for (let tries = 1; ; tries++) {
      try {
        this.#resize(this.#used() + Math.round(leftBytes));
        return;
      } catch (error) {
        // What was written since the look does not fit.
        if (tries === REMOUNTS_MAX) throw error;
      }
    }
  }

  /** Gives the room back. */
  free(): void {
    this.#resize(ROOM_BYTES);
  }

  /** Whoever still has files open there keeps them until they are closed. */
  unmount(): void {
    spawnSync('umount', ['--lazy', this.#dir]);
  }

  #resize(bytes: number): void {
    mount(['-o', `remount,size=${bytes}`, this.#dir]);
  }

  #used(): number {
    const { blocks, bfree, bsize } = statfsSync(this.#dir);
    return (blocks - bfree) * bsize;
  }
}

function mount(args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('mount', args, { encoding: 'utf8' });
  if (status === 0) return;
  const why = error?.message ?? stderr.trim();
  throw new Error(`needs a file system of its own, which cannot be mounted here: ${why}`);
}
