import { mutateExport, seedExports } from '../corpus.ts';
import { refusalOf, scanBoth } from '../scan-both.ts';
import type { Target } from '../target.ts';

/** The edge's scan. */
export const SCAN: Target = {
  name: 'scan',
  oracle:
    'accepts exactly what the official decoder and the strict walk do; the same items, errors, slow spans and faults',
  seeds: seedExports,
  mutate: mutateExport,
  run: ({ signal, bytes }) => {
    const { official, expected } = scanBoth(signal, bytes);
    return expected === undefined ? refusalOf(official) : 'taken';
  },
};
