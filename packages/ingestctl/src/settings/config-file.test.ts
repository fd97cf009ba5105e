import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FILE_KEYS, parseConfigFile } from './config-file.ts';

test('the file in docs/INGESTCTL.md has every key, each beside its variable', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/INGESTCTL.md'), 'utf8');
  const example = /```yaml\n(.*?)```/s.exec(page)?.[1] ?? '';
  const { values, admins } = parseConfigFile('weir.yaml', example);
  // A password is there as a file.
  const inline = ['WEIR_KAFKA_SASL_PASSWORD', 'WEIR_CLICKHOUSE_PASSWORD'];
  expect(Object.values(FILE_KEYS).filter((variable) => !(variable in values))).toEqual(inline);
  expect(Object.keys(admins)).toEqual(['edge-1']);
  for (const [key, variable] of Object.entries(FILE_KEYS)) {
    if (!key.startsWith('clickhouse.tls.') && !inline.includes(variable)) expect(example).toContain(variable);
  }
});

test('a list of brokers may be one text, and absolute paths stay', () => {
  const { values } = parseConfigFile(
    '/etc/weir/config.yaml',
    'kafka: { brokers: "a:1,b:2", tls: { caFile: /ca.pem } }',
  );
  expect(values).toEqual({ WEIR_KAFKA_BROKERS: 'a:1,b:2', WEIR_KAFKA_TLS_CA_FILE: '/ca.pem' });
});

test('an empty file says nothing', () => {
  expect(parseConfigFile('weir.yaml', '# later\n')).toEqual({ path: 'weir.yaml', values: {}, admins: {} });
});
