import { itemId } from '@weir/bench-load';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import type { Unanswered } from './closed-loop.ts';
import { PRODUCER } from './export-pool.ts';
import type { Stored } from './stored-rows.ts';

const READ_MS = 120_000;
const ID_DIGITS = 12;

/** A topic that a peer writes to, made for one run. */
export class PeerTopic {
  readonly name: string;
  readonly #kafka: Kafka;
  readonly #admin: Admin;

  private constructor(brokers: readonly string[], name: string) {
    this.name = name;
    this.#kafka = new Kafka({ brokers: [...brokers], clientId: 'weir-bench-peers', logLevel: logLevel.NOTHING });
    this.#admin = this.#kafka.admin();
  }

  /** As many partitions as Weir's topics have. */
  static async create(brokers: readonly string[], name: string, partitions: number): Promise<PeerTopic> {
    const topic = new PeerTopic(brokers, name);
    await topic.#admin.connect();
    await topic.#admin.createTopics({ topics: [{ topic: name, numPartitions: partitions, replicationFactor: 1 }] });
    return topic;
  }

  /** Messages that were written so far. */
  async messages(): Promise<number> {
    const offsets = await this.#admin.fetchTopicOffsets(this.name);
    return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  }

  /** Reads all of it and looks for the ids of a run's items. */
  async check(run: string, sentItems: number, notAccepted: readonly Unanswered[]): Promise<Stored> {
    const copies = new Uint8Array(sentItems);
    await this.#readAll((value) => countIds(value, run, copies));
    return judgeCopies(copies, notAccepted);
  }

  /** Removes the topic with what is in it. */
  async delete(): Promise<void> {
    await this.#admin.deleteTopics({ topics: [this.name] }).catch(() => undefined);
    await this.#admin.disconnect();
  }

  async #readAll(onValue: (value: Buffer) => void): Promise<void> {
    const left = await this.messages();
    if (left === 0) return;
    const consumer = this.#kafka.consumer({ groupId: `${this.name}-check`, maxBytes: 64 * 1024 ** 2 });
    await consumer.connect();
    await consumer.subscribe({ topic: this.name, fromBeginning: true });
    let read = 0;
    try {
      await new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`${this.name} cannot be read to its end`)), READ_MS);
        const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
          if (message.value !== null) onValue(message.value);
          if (++read < left) return;
          clearTimeout(late);
          resolve();
        };
        consumer.run({ eachMessage }).catch(reject);
      });
    } finally {
      await consumer.disconnect();
    }
  }
}

/** What it means that each item was found so often. */
export function judgeCopies(copies: Uint8Array, notAccepted: readonly Unanswered[]): Stored {
  const promised = new Uint8Array(copies.length).fill(1);
  for (const { first, items } of notAccepted) promised.fill(0, first, first + items);
  let [rows, distinct, lost] = [0, 0, 0];
  for (const [number, count] of copies.entries()) {
    rows += count;
    if (count > 0) distinct++;
    else lost += promised[number]!;
  }
  return { rows, distinct, lost, doubled: rows - distinct };
}

/**
 * Counts the items of a run by their ids in an encoded export, whatever else is in it. Data points have the run's part of an id
 * alone: of them only how many there are is known, so one that is lost and one that is doubled make up for each other.
 */
export function countIds(value: Buffer, run: string, copies: Uint8Array): void {
  const prefix = Buffer.from(itemId(run, PRODUCER, 0).slice(0, -ID_DIGITS));
  let free = 0;
  for (let at = value.indexOf(prefix); at >= 0; at = value.indexOf(prefix, at + prefix.length)) {
    const from = at + prefix.length;
    const digits = value.toString('latin1', from, from + ID_DIGITS);
    if (/^\d+$/.test(digits)) copies[Number(digits)]!++;
    else {
      free = Math.max(0, copies.indexOf(0, free));
      copies[free]!++;
    }
  }
}
