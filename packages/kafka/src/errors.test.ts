import { DependencyError } from '@weir/pipeline';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import { fromKafkaError } from './errors.ts';

const {
  KafkaJSSASLAuthenticationError,
  KafkaJSConnectionError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
} = kafkajs;

function protocol(code: number, message = 'said the broker'): Error {
  return new KafkaJSProtocolError(Object.assign(new Error(message), { type: 'T', code }) as never);
}

function connection(code: string): Error {
  return new KafkaJSConnectionError('Connection error', { broker: 'a:1', code });
}

test.each([
  ['a leader that moved', protocol(6), 'unavailable', true],
  ['too few replicas, nothing appended', protocol(19), 'unavailable', true],
  ['too few replicas after the append: not known', protocol(20), 'timeout', true],
  ['a request that timed out: not known', protocol(7), 'timeout', true],
  ['a generation that is over', protocol(22), 'fenced', false],
  ['a rebalance', protocol(27), 'fenced', false],
  ['a record that is too large', protocol(10), 'rejected', false],
  ['an offset out of range', protocol(1), 'rejected', false],
  [
    'a password that the broker does not know',
    new (KafkaJSSASLAuthenticationError as new (text: string) => Error)('no'),
    'unavailable',
    true,
  ],
  ['a SASL mechanism that the broker does not speak', protocol(33), 'unavailable', true],
  ['no connection made: nothing was sent', connection('ECONNREFUSED'), 'unavailable', true],
  ['a connection that broke: not known', connection('ECONNRESET'), 'timeout', true],
  ['anything else: not known', new TypeError('x'), 'timeout', true],
])('%s', (_what, error, code, retryable) => {
  const mapped = fromKafkaError(error);
  expect([mapped.code, mapped.retryable]).toEqual([code, retryable]);
  expect(mapped.cause).toBe(error);
});

test('the cause decides where the client gave up, after retries or at once', () => {
  const tired = new KafkaJSNumberOfRetriesExceeded(protocol(22), { retryCount: 5, retryTime: 100 });
  expect(fromKafkaError(tired).code).toBe('fenced');
  const final = Object.assign(new KafkaJSNonRetriableError('gave up'), { cause: protocol(25) });
  expect(fromKafkaError(final).code).toBe('fenced');
});

test('of several faults the first one is told, and decides', () => {
  const faults = [protocol(29, 'Not authorized to access topics'), protocol(7)];
  const name = 'KafkaJSAggregateError';
  const mapped = fromKafkaError(Object.assign(new Error('Topic creation errors'), { name, errors: faults }));
  expect([mapped.code, mapped.retryable, mapped.message]).toEqual([
    'rejected',
    false,
    'kafka: Not authorized to access topics',
  ]);
});

test('anything thrown becomes a DependencyError, whatever its message says', () => {
  fc.assert(
    fc.property(fc.anything(), fc.string(), (thrown, message) => {
      expect(fromKafkaError(thrown)).toBeInstanceOf(DependencyError);
      expect(fromKafkaError(protocol(10, message)).code).toBe('rejected');
    }),
  );
});

test('one that was mapped already stays as it is', () => {
  const error = new DependencyError('kafka', 'timeout', 'x', { retryable: true });
  expect(fromKafkaError(error)).toBe(error);
});
