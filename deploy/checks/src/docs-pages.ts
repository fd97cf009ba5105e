import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PREPARE_CONFIG } from '@weir/docker-prepare';
import { EDGE_CONFIG, EDGE_METRICS } from '@weir/edge';
import { NORMALIZER_CONFIG, NORMALIZER_METRICS } from '@weir/normalizer';
import { type ConfigSpec, PROCESS_CONFIG } from '@weir/process';
import { SINK_CONFIG, SINK_METRICS } from '@weir/sink';
import { processMetrics } from '@weir/telemetry';
import { type ProgramConfig, renderConfigurationPage } from './configuration-page.ts';
import { renderKubernetesEnvoy } from './kubernetes-envoy.ts';
import { renderMetricsPage, type ServiceMetrics } from './metrics-page.ts';
import { renderRefusalsPage } from './refusals-page.ts';
import { REPOSITORY } from './tool-cache.ts';

/** What the three services measure. */
export const SERVICE_METRICS: readonly ServiceMetrics[] = [
  { service: 'edge', table: EDGE_METRICS },
  { service: 'normalizer', table: NORMALIZER_METRICS },
  { service: 'sink', table: SINK_METRICS },
];

function service(program: string, spec: ConfigSpec): ProgramConfig {
  return { program, spec: { ...PROCESS_CONFIG, ...spec } };
}

const PROGRAMS: readonly ProgramConfig[] = [
  service('edge', EDGE_CONFIG),
  service('normalizer', NORMALIZER_CONFIG),
  service('sink', SINK_CONFIG),
  { program: 'prepare (Docker Compose only)', spec: PREPARE_CONFIG },
];

/** A page of the docs that is written from the code's own tables. */
export interface DocsPage {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** All of them. */
export function docsPages(): readonly DocsPage[] {
  const envoy = (name: string) => renderKubernetesEnvoy(readFileSync(join(REPOSITORY, 'deploy/envoy', name), 'utf8'));
  return [
    { path: 'k8s/base/envoy/envoy.yaml', text: envoy('envoy.yaml') },
    { path: 'k8s/base/envoy/otlp.yaml', text: envoy('routes/otlp.yaml') },
    { path: 'docs/REFUSALS.md', text: renderRefusalsPage() },
    { path: 'docs/METRICS.md', text: renderMetricsPage(SERVICE_METRICS, processMetrics()) },
    { path: 'docs/CONFIGURATION.md', text: renderConfigurationPage(PROGRAMS) },
  ];
}
