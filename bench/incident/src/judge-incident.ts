import type { IncidentResult } from './incident.ts';

/** What each command that is known to end with another status than 0 ends with: a difference that is there is said so. */
const EXPECTED_STATUS: Readonly<Record<string, readonly number[]>> = { 'shadow compare': [1, 0] };

/** What was not as it should be; empty where all was. */
export function incidentFaults(result: IncidentResult): readonly string[] {
  const { before, after, wrong, different, otherDifferences, others, durationsRefused, pointsBack, tables } = result;
  const faults = [...statusFaults(result), ...result.outOfTurn];
  const none = (what: string, count: number) => {
    if (count !== 0) faults.push(`${what}: ${count}`);
  };
  if (before.wrong.length === 0) faults.push('the bug corrupted nothing');
  if (JSON.stringify(wrong) !== JSON.stringify(different)) {
    faults.push(`wrong were ${JSON.stringify(wrong)}, and the comparison found ${JSON.stringify(different)}`);
  }
  none('differences that the bug did not make', otherDifferences);
  for (const [when, judged] of Object.entries({ 'before the promotion': before, 'after it': after })) {
    none(`durations missing ${when}`, judged.missing);
    none(`durations doubled ${when}`, judged.doubled);
    none(`durations never sent ${when}`, judged.alien);
    faults.push(...judged.odd.map((odd) => `${when}: ${odd}`));
  }
  none('durations still wrong', after.wrong.length);
  none(
    'durations not accepted',
    [...durationsRefused.values()].reduce((sum, items) => sum + items, 0),
  );
  if (pointsBack === 0) faults.push('nothing was sent after the tenants were back');
  none('spans, log records and counts not accepted', others.sent - others.accepted);
  none('of them lost', others.lost);
  none('of them doubled', others.doubled);
  none('of them under another tenant', others.misplaced);
  none('of them never sent', others.alien);
  none('shadow tables left', tables.length);
  return faults;
}

function statusFaults({ commands }: IncidentResult): string[] {
  const seen: Record<string, number> = {};
  return commands.flatMap(({ line, status }, at) => {
    // Of one that was run again at once the last counts.
    if (commands[at + 1]?.line === line) return [];
    const name = line.split(' ').slice(1, 3).join(' ');
    const turn = seen[name] ?? 0;
    seen[name] = turn + 1;
    const expected = EXPECTED_STATUS[name]?.[turn] ?? 0;
    return status === expected ? [] : [`${line} ended with ${status}, not with ${expected}`];
  });
}
