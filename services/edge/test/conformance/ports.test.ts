import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@weir/local';
import { expect, test } from 'vitest';
import { EDGE_CONFIG } from '../../src/config.ts';
import { ON, title } from './row.ts';

const PORTS = { http: 4318, grpc: 4317 } as const;
const envoy = readFileSync(join(ROOT, 'deploy/envoy/envoy.yaml'), 'utf8');

for (const transport of ON.all) {
  const kind = transport === 'gRPC' ? 'grpc' : 'http';
  const behaviour = `is served on port ${PORTS[kind]} where nothing else is said`;

  test(title(4, transport, 'edge', behaviour), () => {
    const { schema } = kind === 'grpc' ? EDGE_CONFIG.grpcListen : EDGE_CONFIG.httpListen;
    expect(schema.parse(undefined)).toMatchObject({ port: PORTS[kind] });
  });

  test(title(4, transport, 'Envoy', behaviour), () => {
    const [, port] = new RegExp(`- name: otlp_${kind}\\n +address: .*port_value: (\\d+) }`).exec(envoy) ?? [];
    expect(Number(port)).toBe(PORTS[kind]);
  });
}
