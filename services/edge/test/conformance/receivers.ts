import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureCertificates } from '@weir/local';
import { Budget, type Consumer, systemClock } from '@weir/pipeline';
import { effectiveTenant } from '@weir/tenancy';
import { freePorts, type WireTarget } from '@weir/testkit';
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
    budget: new Budget({ bytesMax: 8 * 1024 ** 2, itemsMax: 1_000 }),
    clock: systemClock,
    authenticate: () => ({ kind: 'tenant', tenant: effectiveTenant('acme', { keys: [] }, undefined) }) as const,
    events: { received: () => undefined, answered: () => undefined, failed: () => undefined },
  };
  const http = new HttpReceiver({ ...parts, ...listen(base) }, next);
  const grpc = new GrpcReceiver({ ...parts, ...listen(base + 1) }, next);
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
