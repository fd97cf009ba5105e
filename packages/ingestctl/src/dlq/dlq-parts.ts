import type { KafkaLog } from '@weir/kafka';
import { systemClock } from '@weir/pipeline';
import { CONTROL_TOPICS } from '@weir/records';
import type { Context } from '../context.ts';
import { Refused } from '../refused.ts';
import { WaitTeller } from '../wait-teller.ts';
import { RedriveJournal } from './redrive-journal.ts';

/** What the commands about letters work on. */
export interface DlqParts {
  readonly log: KafkaLog;
  readonly journal: RedriveJournal;
  /** Says where Kafka or ClickHouse is waited for. */
  readonly waits: WaitTeller;
}

/** Opens the log, and reads the journal. @throws Refused where the topics are not there */
export async function openDlq(context: Context, signal: AbortSignal): Promise<DlqParts> {
  const states = await context.kafkaAdmin().describe([CONTROL_TOPICS.dlq, CONTROL_TOPICS.redrives]);
  for (const { name, state } of states) {
    if (state === 'missing') throw new Refused(`there is no topic ${name}: run ingestctl topics apply`);
  }
  const waits = new WaitTeller(context.outside);
  const log = waits.log(context.kafkaLog());
  const journal = new RedriveJournal(log, systemClock);
  await journal.refresh(signal);
  return { log, journal, waits };
}
