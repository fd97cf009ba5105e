import { X509Certificate } from 'node:crypto';
import type { ClientTls, Clock } from '@weir/pipeline';
import { collectWith } from '@weir/telemetry';

/** TLS to dependencies, by their names. */
export type Dependencies = Readonly<Record<string, ClientTls | undefined>>;

/** When the certificates of one file end, s since the epoch. */
export interface CertificateEnd {
  readonly dependency: string;
  readonly file: 'cert' | 'ca';
  readonly endsS: number;
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Has a gauge with the labels `dependency` and `file` say when these files end. */
export function collectCertificateEnds(
  gauge: Parameters<typeof collectWith>[0],
  dependencies: Dependencies,
  clock: Clock,
): void {
  collectWith(gauge, () => {
    gauge.reset();
    for (const { endsS, ...labels } of certificateEnds(dependencies, Number(clock.wallNs() / 1_000_000n))) {
      gauge.set(labels, endsS);
    }
  });
}

/**
 * When the files of TLS to dependencies end, as they are now; of a file with several the next one that does. Ones that have ended beside
 * others that have not are passed over: they are left of a change. Without a file: nothing.
 */
export function certificateEnds(dependencies: Dependencies, nowMs: number): readonly CertificateEnd[] {
  return Object.entries(dependencies).flatMap(([dependency, tls]) => {
    const { cert, ca } = tls?.material() ?? {};
    const files = [
      ['cert', cert],
      ['ca', ca],
    ] as const;
    return files.flatMap(([file, text]) => {
      const endsS = text === undefined ? undefined : nextEnd(text, nowMs / 1_000);
      return endsS === undefined ? [] : [{ dependency, file, endsS }];
    });
  });
}

function nextEnd(text: string, nowS: number): number | undefined {
  const ends = [...text.matchAll(PEM)].flatMap(([pem]) => {
    try {
      return [Date.parse(new X509Certificate(pem).validTo) / 1_000];
    } catch {
      return [];
    }
  });
  if (ends.length === 0) return undefined;
  const ahead = ends.filter((end) => end > nowS);
  return ahead.length > 0 ? Math.min(...ahead) : Math.max(...ends);
}
