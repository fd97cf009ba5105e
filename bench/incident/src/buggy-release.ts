/**
 * Loaded before the processes of a stack (`--import`): a normalizer of track v1 that starts while the file is there which
 * WEIR_INCIDENT_BUG names is of a release with a bug. The loader puts it into one source, so that production code has no switch for bugs.
 */
import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { UNIT_BUG, withBug } from './unit-bug.ts';

const { WEIR_INCIDENT_BUG: file, WEIR_TRACK: track } = process.env;
const isNormalizer = process.argv[1]?.endsWith('services/normalizer/src/main.ts') === true;

if (isNormalizer && track === 'v1' && file !== undefined && existsSync(file)) {
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      if (!url.endsWith(UNIT_BUG.source)) return loaded;
      return { ...loaded, source: withBug(String(loaded.source)) };
    },
  });
}
