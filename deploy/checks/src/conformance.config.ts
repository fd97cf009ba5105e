import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Only to list the tests of the two tables: they are in folders of their own in the services' and deployments' tests. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../../../', import.meta.url)),
    include: ['{services,deploy}/*/test/*/**/*.test.ts'],
  },
});
