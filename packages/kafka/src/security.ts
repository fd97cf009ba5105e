import type { ClientTls } from '@weir/pipeline';
import { createSocketFactory, type KafkaSocketRequest } from './internals.ts';
import type { KafkaConfig } from './kafka-config.ts';

/**
 * TLS and SASL as kafkajs takes them, and its sockets. What is shown and trusted is asked for at each connection.
 * kafkajs keeps things of its own in the object for SASL, so each client has one to itself.
 */
export function securityOf({ tls, sasl }: KafkaConfig) {
  const sockets = createSocketFactory();
  return {
    socketFactory: tls === undefined ? sockets : (request: KafkaSocketRequest) => sockets(withTls(request, tls)),
    ...(tls === undefined ? {} : { ssl: {} }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl } }),
  };
}

function withTls(request: KafkaSocketRequest, { serverName, material }: ClientTls): KafkaSocketRequest {
  return { ...request, ssl: { ...material(), ...(serverName === undefined ? {} : { servername: serverName }) } };
}
