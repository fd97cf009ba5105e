export { type Certificates, ensureCertificates } from './certificates.ts';
export { installEnvoy } from './envoy.ts';
export { type LocalFile, readLocalFile } from './local-file.ts';
export { ROOT, type StackPaths, stackPaths } from './paths.ts';
export { derivePorts } from './ports.ts';
export { listens } from './probe.ts';
export type { ProcessCounts } from './process-counts.ts';
export { ManagedProcess, type ProcessEvents, type ProcessSpec } from './processes.ts';
export { ensureTenants, type LocalKeys } from './tenants.ts';
