import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { ensureCertificates } from '@weir/local';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, describe, expect, test } from 'vitest';
import { Front } from './front.ts';
import { LITTLE, unharmed } from './unharmed.ts';

const stack = sharedStack();
const PORTS = [
  ['HTTP/protobuf', 'http'],
  ['HTTP/JSON', 'http'],
  ['gRPC', 'grpc'],
] as const;

/** Everything that a port says to bytes without TLS, until it closes. */
function plain(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: '127.0.0.1', port }, () => socket.write(bytes));
    let said = '';
    socket.on('data', (piece) => {
      said += piece.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(said));
  });
}

/** How a TLS connection ended that was given a request: what was said, or why there was none. */
function secured(port: number, options: object, request: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTls({ host: '127.0.0.1', port, ca: stack.ca, ...options }, () => socket.write(request));
    let said = '';
    socket.on('data', (piece) => {
      said += piece.toString('latin1');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      said += error.code;
    });
    socket.once('close', () => resolve(said));
  });
}

describe.each(['edge', 'Envoy'] as const)('on %s', (name) => {
  const front = new Front(stack, name);
  afterAll(() => front.close());

  for (const [transport, which] of PORTS) {
    const port = () => front.port(which);
    const of = (behaviour: string) => `bad input 20 | ${transport} | ${name} | ${behaviour}`;
    const type = transport === 'HTTP/JSON' ? 'application/json' : 'application/x-protobuf';
    const request = `POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\ncontent-length: 2\r\n\r\n{}`;

    test(of('plaintext and garbage on the TLS port are closed without an HTTP answer'), async () => {
      const bytes = [
        Buffer.from(request),
        Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'),
        randomBytes(500),
        Buffer.from('160301ffff0100', 'hex'),
        Buffer.alloc(20_000, 0x16),
      ];
      // A record that announces more than it sends is closed when its handshake is late.
      const said = await unharmed(front, LITTLE, () => Promise.all(bytes.map((each) => plain(port(), each))));
      for (const each of said) expect(each).not.toContain('HTTP/1.1 2');
    });

    test(of('an unknown server name gets a certificate that is not for it, and the client closes'), async () => {
      const options = { servername: 'evil.example', ALPNProtocols: [which === 'http' ? 'http/1.1' : 'h2'] };
      expect(await unharmed(front, LITTLE, () => secured(port(), options, request))).toBe(
        'ERR_TLS_CERT_ALTNAME_INVALID',
      );
    });

    test(of('a protocol that is not offered, and TLS before 1.2, end in the handshake'), async () => {
      const ends = await unharmed(front, LITTLE, () =>
        Promise.all([
          secured(port(), { servername: 'localhost', maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }, request),
          secured(
            port(),
            { servername: 'localhost', ciphers: 'RC4-SHA:DES-CBC3-SHA', maxVersion: 'TLSv1.2' },
            request,
          ).catch((error: Error) => error.message),
        ]),
      );
      for (const end of ends) expect(end).not.toContain('HTTP/1.1');
    });
  }

  if (name === 'edge') {
    for (const [transport, which] of PORTS) {
      const request = 'POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n';
      test(`bad input 20 | ${transport} | edge | a client certificate that has expired, or is of another authority, is closed`, async () => {
        const dir = join(stack.dataDir, `hostile-tls-${which}`);
        // Of an authority of its own; and one that ended years ago, which no authority would vouch for either.
        const foreign = await ensureCertificates(join(dir, 'foreign'), new Date());
        const expired = await ensureCertificates(join(dir, 'expired'), new Date('2020-01-01'));
        const ends = await unharmed(front, LITTLE, () =>
          Promise.all(
            [foreign, expired].map(({ clientCert, clientKey }) =>
              secured(
                front.port(which),
                {
                  servername: 'localhost',
                  cert: readFileSync(clientCert),
                  key: readFileSync(clientKey),
                  ALPNProtocols: [which === 'http' ? 'http/1.1' : 'h2'],
                },
                request,
              ),
            ),
          ),
        );
        for (const end of ends) expect(end).not.toContain('HTTP/1.1');
      });
    }
  }
});
