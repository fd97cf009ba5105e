import { median } from '@weir/testkit';
import type { Cost, Database, Measured } from './database.ts';
import { turned } from './order.ts';
import { needle, QUESTIONS } from './questions.ts';
import type { RowsShape } from './rows.ts';
import type { Schema } from './schemas.ts';

/** Medians of one question on one schema over all rounds. */
export interface Answered {
  readonly question: string;
  readonly oneTenant: boolean;
  readonly schema: string;
  readonly cold: Cost;
  readonly warm: Cost;
}

/** Rounds, each with another thing to look for. */
export interface AskOptions {
  readonly shape: RowsShape;
  readonly rounds: number;
}

const WARM_RUNS = 3;

/**
 * Asks every schema every question, in alternation: in each round all schemas answer one question, then all the next,
 * and the order of the schemas turns with the round. One cold run, one that is not counted, then the warm ones.
 * @throws Error where two schemas answer differently
 */
export function ask(
  database: Database,
  schemas: readonly Schema[],
  { shape, rounds }: AskOptions,
  onProgress: (text: string) => void,
): Answered[] {
  const runs = new Map<string, { cold: Cost[]; warm: Cost[] }>();
  for (let round = 0; round < rounds; round++) {
    const found = needle(database, shape, round, rounds);
    for (const question of QUESTIONS) {
      for (const tenant of [undefined, question.tenant(found)]) {
        const answers = new Set<string>();
        for (const schema of turned(schemas, round)) {
          const sql = question.sql(schema, found, tenant);
          const key = keyOf(question.name, tenant !== undefined, schema);
          const kept = runs.get(key) ?? { cold: [], warm: [] };
          runs.set(key, kept);
          const cold = database.measure(sql, true);
          kept.cold.push(cold);
          database.measure(sql, false);
          for (let run = 0; run < WARM_RUNS; run++) kept.warm.push(database.measure(sql, false));
          if (question.finds === true && cold.answer.length === 0) throw new Error(`${key} found nothing`);
          answers.add(canonical(cold));
        }
        if (answers.size > 1) throw new Error(`${question.name}: the schemas answer differently`);
      }
    }
    onProgress(`round ${round + 1} of ${rounds}`);
  }
  return QUESTIONS.flatMap(({ name }) =>
    [false, true].flatMap((oneTenant) =>
      schemas.map((schema) => {
        const { cold, warm } = runs.get(keyOf(name, oneTenant, schema))!;
        return { question: name, oneTenant, schema: schema.name, cold: medians(cold), warm: medians(warm) };
      }),
    ),
  );
}

const keyOf = (question: string, oneTenant: boolean, schema: Schema) => `${question} ${oneTenant} ${schema.name}`;

/** The answer without what may differ: a quantile is estimated from a sample that depends on the order of rows. */
function canonical({ answer }: Measured): string {
  return JSON.stringify(answer.map(({ p99: _, ...rest }) => JSON.stringify(rest)).sort());
}

function medians(costs: readonly Cost[]): Cost {
  const of = (key: keyof Cost) => median(costs.map((cost) => cost[key]));
  return {
    wallMs: of('wallMs'),
    cpuMs: of('cpuMs'),
    rows: of('rows'),
    bytes: of('bytes'),
    compressedBytes: of('compressedBytes'),
  };
}
