import type { ClientTls } from '@weir/pipeline';

/** What a client needs to reach Kafka. */
export interface KafkaConfig {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Left out: no TLS. */
  readonly tls?: ClientTls;
  /** Left out: whoever connects may. */
  readonly sasl?: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
    readonly username: string;
    readonly password: string;
  };
}
