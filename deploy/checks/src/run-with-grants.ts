import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

interface Session {
  query(sql: string): string;
  close(): void;
}

const { Session } = createRequire(new URL('../../../packages/testkit/package.json', import.meta.url))('chdb') as {
  Session: new (path: string, options: { connectionArgs: string[] }) => Session;
};

/** What is run, as standard input says it in JSON. */
interface Work {
  /** Data directory of the engine. */
  readonly path: string;
  /** The rights of the user; left out: all. */
  readonly grants?: readonly string[];
  readonly statements: readonly string[];
}

/**
 * Runs statements in the real ClickHouse engine, as a user that has some rights and no other; a process of its own, since the engine reads
 * its users once. Prints for each statement ClickHouse's message where it fails, and null where it does not.
 */
function runWithGrants({ path, grants, statements }: Work): (string | null)[] {
  mkdirSync(path, { recursive: true });
  const config = join(path, '..', 'config.xml');
  const queries = (grants ?? []).map((grant) => `<query>${grant}</query>`).join('');
  const rights = grants === undefined ? '' : `<grants>${queries}</grants>`;
  const user =
    '<password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>';
  const users = join(path, '..', 'users.xml');
  writeFileSync(config, `<clickhouse><users_config>${users}</users_config></clickhouse>`);
  writeFileSync(
    users,
    `<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default>${user}${rights}</default></users></clickhouse>`,
  );
  const session = new Session(path, { connectionArgs: [`--config-file=${config}`] });
  const said = statements.map((statement) => {
    try {
      session.query(statement);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  });
  session.close();
  return said;
}

process.stdout.write(JSON.stringify(runWithGrants(JSON.parse(readFileSync(0, 'utf8')) as Work)));
