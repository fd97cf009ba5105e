import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { kafkaLogCreator } from './kafka-logger.ts';

function createSays() {
  const lines: string[] = [];
  const logger = {
    warn: (_: object, text: string) => void lines.push(`warn ${text}`),
    debug: (_: object, text: string) => void lines.push(`debug ${text}`),
  };
  const clock = new FakeClock();
  const say = (message: string, level = 1, broker = 'a:1') =>
    kafkaLogCreator(logger, clock)()({ namespace: 'Connection', level, log: { message, broker } });
  return { lines, say, clock };
}

test('what the client says again and again is a warning once a minute, for all connections of a process', async () => {
  const { lines, say, clock } = createSays();
  for (let i = 0; i < 3; i++) say('authentication failed');
  say('authentication failed', 1, 'b:1');
  await clock.advance(61_000);
  say('authentication failed');
  expect(lines.map((line) => line.split(' ')[0])).toEqual(['warn', 'debug', 'debug', 'warn', 'warn']);
});

test('what is no error is not a warning, and no number of different lines is kept for good', () => {
  const { lines, say } = createSays();
  say('trying', 4);
  expect(lines).toEqual(['debug trying']);
  for (let i = 0; i < 150; i++) say(`line ${i}`);
  lines.length = 0;
  say('line 0');
  say('line 149');
  expect(lines).toEqual(['warn line 0', 'debug line 149']);
});
