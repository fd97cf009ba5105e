import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Component } from '@weir/pipeline';
import type { Registry } from 'prom-client';

/** Reasons why not; an empty list is a yes. */
export type Check = () => readonly string[];

export interface AdminOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly registry: Registry;
  /** Why the service should get no traffic now. */
  readonly readiness: Check;
  /** Why the process should be restarted. */
  readonly liveness: Check;
}

const HEADERS_TIMEOUT_MS = 5_000;
const CONNECTIONS_MAX = 64;

/** The plain-HTTP endpoint for operators: GET /metrics, /healthz and /readyz; 503 carries the reasons, one a line. */
export function createAdmin(options: AdminOptions): Component {
  let server: Server | undefined;
  return {
    name: 'admin',
    start: async () => {
      const made = createServer(
        { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: HEADERS_TIMEOUT_MS },
        (request, response) => {
          void answer(options, request.method ?? '', request.url ?? '', response);
        },
      );
      made.maxConnections = CONNECTIONS_MAX;
      server = made;
      await new Promise<void>((resolve, reject) => {
        made.once('error', reject);
        made.listen(options.listen.port, options.listen.host, () => resolve());
      });
    },
    stop: async () => {
      const running = server;
      server = undefined;
      if (running === undefined) return;
      running.closeAllConnections();
      await new Promise<void>((resolve) => running.close(() => resolve()));
    },
  };
}

async function answer(options: AdminOptions, method: string, url: string, response: ServerResponse): Promise<void> {
  const path = url.split('?', 1)[0];
  if (method !== 'GET' && method !== 'HEAD') return send(response, 405, 'use GET\n');
  if (path === '/healthz') return sendCheck(response, options.liveness);
  if (path === '/readyz') return sendCheck(response, options.readiness);
  if (path !== '/metrics') return send(response, 404, 'there are /metrics, /healthz and /readyz\n');
  try {
    const body = await options.registry.metrics();
    send(response, 200, body, options.registry.contentType);
  } catch {
    send(response, 500, 'metrics could not be collected\n');
  }
}

function sendCheck(response: ServerResponse, check: Check): void {
  const reasons = check();
  if (reasons.length === 0) send(response, 200, 'ok\n');
  else send(response, 503, `${reasons.join('\n')}\n`);
}

function send(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}
