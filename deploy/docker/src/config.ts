import { defineConfig, setting } from '@weir/process';
import { pepperFault } from '@weir/tenancy';
import { z } from 'zod';

/** What `prepare` is told by docker-compose.yml. */
export const PREPARE_CONFIG = defineConfig({
  directory: setting('WEIR_PREPARED_DIR', z.string().default('/prepared'), 'Where everything is written.'),
  hostnames: setting(
    'WEIR_HOSTNAMES',
    z
      .string()
      .default('localhost,127.0.0.1')
      .transform((text) => text.split(',').map((name) => name.trim())),
    "Names and addresses that clients reach Envoy by; they go into Envoy's certificate.",
  ),
  demoKey: setting('WEIR_DEMO_KEY', z.string().min(1, 'must not be empty'), 'The key of the tenant demo.', {
    secret: true,
  }),
  pepper: setting(
    'WEIR_KEY_PEPPER',
    z.string().superRefine((value, context) => {
      const fault = pepperFault(value);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    }),
    'What keys are hashed with.',
    { secret: true },
  ),
});
