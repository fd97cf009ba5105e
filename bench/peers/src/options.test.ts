import { expect, test } from 'vitest';
import { parsePeers, SYSTEM_NAMES } from './options.ts';

test('without options all systems run three million spans over HTTP five times', () => {
  expect(parsePeers([])).toEqual({
    kind: 'run',
    options: {
      loads: [
        {
          ...{ signal: 'traces', transport: 'http', items: 3_000_000, itemsPerExport: 1_000 },
          ...{ inFlight: 16, gzip: false, warmUpS: 75 },
        },
      ],
      systems: SYSTEM_NAMES,
      pairs: 5,
      promises: true,
      out: undefined,
    },
  });
});

test('every signal runs over every transport', () => {
  const parsed = parsePeers([
    '--signals',
    'metrics,traces',
    '--transports',
    'grpc,http',
    '--items',
    '5',
    '--pairs',
    '7',
  ]);
  const { options } = parsed as Extract<typeof parsed, { kind: 'run' }>;
  expect(options.loads.map(({ signal, transport, items }) => `${transport} ${signal} ${items}`)).toEqual([
    'http traces 5',
    'http metrics 5',
    'grpc traces 5',
    'grpc metrics 5',
  ]);
  expect(options.pairs).toBe(7);
});

test('a quick run is small, tries no promise and keeps nothing, but for what is asked of it', () => {
  expect(parsePeers(['--quick', '--system', 'weir', '--items', '9'])).toMatchObject({
    options: { loads: [{ items: 9, warmUpS: 0 }], systems: ['weir'], pairs: 1, promises: false, out: '' },
  });
});

test.each([
  [['--signals', 'profiles'], '--signals must be of traces'],
  [['--transports', ''], '--transports must be of http'],
  [['--system', 'weir,nonsense'], '--system must be of weir'],
  [['--pairs', '0'], '--pairs must be'],
  [['--items', '5000001'], '--items must be'],
  [['--export', 'many'], '--export must be'],
  [['--gzip', '--transports', 'http,grpc'], '--gzip is over HTTP'],
  [['--warm-up', 'long'], '--warm-up must be'],
  [['--warm-up=-1'], '--warm-up must be'],
  [['--in-flight', '1.5'], '--in-flight must be'],
  [['--nonsense'], '--nonsense'],
])('wrong usage says why: %j', (args, why) => {
  expect(parsePeers(args)).toEqual({ kind: 'fault', message: expect.stringContaining(why) });
});

test('help and installing alone', () => {
  expect(parsePeers(['--help'])).toEqual({ kind: 'help' });
  expect(parsePeers(['--install'])).toEqual({ kind: 'install' });
});
