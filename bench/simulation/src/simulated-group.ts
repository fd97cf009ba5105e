import { type Committed, type Membership, type MembershipEvents, type Positions, REVISIONS } from '@weir/delivery';
import { DependencyError, InvariantError } from '@weir/pipeline';
import type { VirtualTime } from '@weir/testkit';
import type { SimulatedProcess } from './simulated-process.ts';

interface Member {
  readonly process: SimulatedProcess;
  events: MembershipEvents;
  /** The generation that it knows of; its commits carry it. */
  generation: number;
  /** Ends when all that it was told has reached it, in order. */
  told: Promise<void>;
}

/** How often a commit goes wrong, each from 0 to 1. */
export interface CommitFaults {
  /** Written, and the answer lost. */
  readonly answerLost: number;
  /** Reaches the broker after the member has given up. */
  readonly late: number;
}

const LATENCY_MS = 5;
const CLIENT_TIMEOUT_MS = 50;
const LATE_MS_MAX = 600;
/** A member that has been silent for this long is thrown out. */
const SESSION_MS = 300;
const LOOK_MS = 50;
/** A member learns within this that it has been thrown out, or that it owns the partitions. */
const NEWS_MS_MAX = 120;
const NONE = -1;

/** Of several partitions, how often one goes to another member than the first, and how often an operator's hand reaches one. */
const SHARED_SHARE = 0.6;
const REWOUND_SHARE = 0.6;
/** How often a position of several is missing in a commit, where that is not written as a whole. */
const TORN_SHARE = 0.3;
const NEWEST = REVISIONS.several;

/** What is switched off around a group. */
export interface GroupSeams {
  /** Whether members heed what the others understand. */
  readonly isAgreed: boolean;
  /** Whether a commit of several partitions is written as a whole. */
  readonly isAtomic: boolean;
}

/**
 * A consumer group on a topic. Whoever joins last owns all partitions, or shares them with who joined before; a member that dies, leaves
 * or is paused loses them, and learns of that later. The broker takes a commit that carries the present generation. As with the real
 * adapter, a member whose commit has no answer gives its generation up.
 */
export class SimulatedGroup {
  readonly #time: VirtualTime;
  readonly #members: Member[] = [];
  /** Processes that joined or will, and what each understands: one that has not joined yet is to be reckoned with. */
  readonly #revisions = new Map<SimulatedProcess, number>();
  readonly #seams: GroupSeams;
  #generation = 0;
  /** Who owns each of the partitions. */
  #owners: readonly (Member | undefined)[] = [];
  #silentMs = 0;
  readonly #partitions: readonly number[];
  readonly #committed = new Map<number, Committed>();
  /** What each write found in place of what it wrote, the newest last. */
  readonly #former: (readonly (readonly [partition: number, Committed | null])[])[] = [];
  faults: CommitFaults;

  constructor(
    time: VirtualTime,
    faults: CommitFaults,
    partitions: readonly number[],
    seams: GroupSeams = { isAgreed: true, isAtomic: true },
  ) {
    this.#partitions = partitions;
    this.#time = time;
    this.#seams = seams;
    this.faults = faults;
    void this.#watch();
  }

  /** What has been committed, as the broker has it. */
  committed(partition: number): Committed | null {
    return this.#committed.get(partition) ?? null;
  }

  /**
   * Tells whether the broker still holds the process for an owner, in the generation that the process knows of now: one that was thrown
   * out and is taken back is another's successor.
   */
  ownership(process: SimulatedProcess): () => boolean {
    const known = this.#owners.find((owner) => owner?.process === process)?.generation ?? NONE;
    return () => known === this.#generation;
  }

  /** An operator's hand, where the group has no owner: the offset goes back, or is lost with all that it says. */
  rewind(): boolean {
    if (this.#members.some(({ process }) => !process.dead)) return false;
    for (const partition of this.#partitions) {
      if (this.#partitions.length > 1 && this.#time.random() > REWOUND_SHARE) continue;
      const back = Math.floor(this.#time.random() * 30);
      const offset = Math.max(0, (this.committed(partition)?.offset ?? 0) - back);
      this.#put([[partition, this.#time.random() < 0.3 ? null : { offset, metadata: '' }]]);
    }
    return true;
  }

  /** The broker was started anew: its last writes and what was on its way to it are gone, and nobody owns anything. */
  restart(lostWrites: number): void {
    this.#generation++;
    this.#owners = [];
    for (const write of this.#former.splice(Math.max(0, this.#former.length - lostWrites)).toReversed())
      for (const [partition, former] of write) this.#set(partition, former);
  }

  /** Commits without a member, as who repairs something does. */
  place(partition: number, position: Committed): void {
    if (this.#members.some(({ process }) => !process.dead)) throw new InvariantError('the group has members');
    this.#put([[partition, position]]);
  }

  #put(write: readonly (readonly [partition: number, Committed | null])[]): void {
    this.#former.push(write.map(([partition]) => [partition, this.committed(partition)]));
    for (const [partition, position] of write) this.#set(partition, position);
  }

  #set(partition: number, position: Committed | null): void {
    if (position === null) this.#committed.delete(partition);
    else this.#committed.set(partition, position);
  }

  /** @param revision what the process understands */
  membership(process: SimulatedProcess, revision: number = NEWEST): Membership {
    this.#revisions.set(process, revision);
    const events = { assigned: () => undefined, revoked: () => undefined };
    const member: Member = { process, events, generation: NONE, told: Promise.resolve() };
    let left = false;
    return {
      join: async (events) => {
        member.events = events;
        await process.through(() => this.#latency());
        // Told to stop while it joined: it would own the partitions and do nothing with them.
        if (left) return;
        this.#members.push(member);
        this.#rebalance();
      },
      leave: async () => {
        left = true;
        this.#revisions.delete(process);
        const at = this.#members.indexOf(member);
        if (at >= 0) this.#members.splice(at, 1);
        if (this.#owners.includes(member)) this.#rebalance();
      },
      committed: (partition) =>
        process.through(async () => {
          await this.#latency();
          return this.committed(partition);
        }),
      commit: async (positions, signal) => {
        signal.throwIfAborted();
        const { generation } = member;
        await process.through(() => this.#commit(member, () => this.#write(generation, positions)));
      },
    };
  }

  async #commit(member: Member, write: () => boolean): Promise<void> {
    const { generation } = member;
    const chance = this.#time.random();
    const { answerLost, late } = this.faults;
    await this.#latency();
    if (chance >= answerLost + late) {
      if (!write()) {
        throw new DependencyError('kafka', 'fenced', 'not the owner', { retryable: false });
      }
      return this.#latency();
    }
    if (chance < answerLost) write();
    else this.#time.at(this.#time.random() * LATE_MS_MAX, write);
    await this.#time.sleep(CLIENT_TIMEOUT_MS);
    if (member.generation === generation) {
      member.generation = NONE;
      member.events.revoked();
      if (this.#owners.includes(member)) this.#rebalance();
    }
    throw new DependencyError('kafka', 'timeout', 'no answer', { retryable: true });
  }

  #write(generation: number, positions: Positions): boolean {
    if (generation !== this.#generation) return false;
    const isTorn = () => !this.#seams.isAtomic && positions.size > 1 && this.#time.random() < TORN_SHARE;
    this.#put([...positions].filter(() => !isTorn()));
    return true;
  }

  #latency(): Promise<void> {
    return this.#time.sleep(this.#time.random() * LATENCY_MS);
  }

  /** The newest member that runs becomes the owner, and the one before it of some partitions. */
  #rebalance(): void {
    const former = new Set(this.#owners);
    this.#generation++;
    this.#silentMs = 0;
    const [newest, second] = this.#members.filter(({ process }) => !process.dead && !process.paused).toReversed();
    this.#owners = this.#partitions.map((_, at) =>
      at > 0 && this.#time.random() < SHARED_SHARE ? (second ?? newest) : newest,
    );
    for (const member of former) {
      if (member === undefined) continue;
      this.#tell(member, () => {
        member.generation = NONE;
        member.events.revoked();
      });
    }
    const generation = this.#generation;
    const revision = this.#seams.isAgreed ? this.#revision() : NEWEST;
    for (const owner of new Set(this.#owners)) {
      if (owner === undefined) continue;
      const owned = this.#partitions.filter((_, at) => this.#owners[at] === owner);
      this.#tell(owner, () => {
        if (this.#generation !== generation) return;
        owner.generation = generation;
        owner.events.assigned(owned, revision);
      });
    }
  }

  #revision(): number {
    const living = [...this.#revisions].filter(([process]) => !process.dead);
    return Math.min(NEWEST, ...living.map(([, revision]) => revision));
  }

  #tell(member: Member, news: () => void): void {
    const { told, process } = member;
    member.told = told
      .then(() => process.through(() => this.#time.sleep(this.#time.random() * NEWS_MS_MAX)))
      .then(news);
  }

  async #watch(): Promise<void> {
    for (;;) {
      await this.#time.sleep(LOOK_MS);
      for (let i = this.#members.length - 1; i >= 0; i--)
        if (this.#members[i]!.process.dead) this.#members.splice(i, 1);
      const silent =
        this.#owners.length === 0 ||
        this.#owners.some((owner) => owner === undefined || owner.process.dead || owner.process.paused);
      this.#silentMs = silent ? this.#silentMs + LOOK_MS : 0;
      if (this.#silentMs > SESSION_MS) this.#rebalance();
    }
  }
}
