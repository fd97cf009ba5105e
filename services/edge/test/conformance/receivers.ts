import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureCertificates } from '@weir/local';
import { Budget, type Consumer, systemClock } from '@weir/pipeline';
import { loadConfig } from '@weir/process';
import { effectiveTenant } from '@weir/tenancy';
import { freePorts, type WireTarget } from '@weir/testkit';
import { CONNECTIONS } from '../../src/config.ts';
import { EdgeQueue } from '../../src/edge-queue.ts';
import type { Answer, RawExport } from '../../src/exports.ts';
import { GrpcReceiver } from '../../src/receive/grpc-receiver.ts';
import { HttpReceiver } from '../../src/receive/http-receiver.ts';
import { TlsFiles } from '../../src/receive/tls-files.ts';

/** The edge's own receivers on loopback, before a consumer of the test's: answers that a whole stack gives only seldom. */
export interface Receivers {
  readonly target: WireTarget;
  stop(): Promise<void>;
}

/** Starts both; every key is good. */
export async function startReceivers(next: Consumer<RawExport, Answer>): Promise<Receivers> {
  const scratch = mkdtempSync(join(tmpdir(), 'weir-receivers-'));
  const files = await ensureCertificates(scratch, new Date());
  const paths = { certFile: files.serverCert, keyFile: files.serverKey, clientCaFile: undefined };
  const tls = new TlsFiles(paths, systemClock, () => undefined);
  const base = await freePorts();
  const listen = (port: number) => ({ listen: { host: '127.0.0.1', port } });
  const parts = {
    tls,
    clientRequired: false,
    bodyBytesMax: 1024 ** 2,
    queue: new EdgeQueue(new Budget({ bytesMax: 8 * 1024 ** 2, itemsMax: 1_000 })),
    clock: systemClock,
    authenticate: () => ({ kind: 'tenant', tenant: effectiveTenant('acme', { keys: [] }, undefined) }) as const,
    events: { received: () => undefined, answered: () => undefined, failed: () => undefined },
  };
  const loaded = loadConfig(CONNECTIONS, { env: {}, readFile: () => '' });
  if (!loaded.ok) throw new Error(loaded.faults.join('; '));
  const connections = loaded.config;
  const http = new HttpReceiver({ ...parts, ...listen(base) }, next, connections);
  const grpc = new GrpcReceiver({ ...parts, ...listen(base + 1) }, next, connections);
  await http.start();
  await grpc.start();
  return {
    target: {
      http: `https://localhost:${base}`,
      grpc: `https://localhost:${base + 1}`,
      ca: readFileSync(files.ca),
    },
    stop: async () => {
      await Promise.all([http.stop(AbortSignal.abort()), grpc.stop(AbortSignal.abort())]);
      rmSync(scratch, { recursive: true });
    },
  };
}
