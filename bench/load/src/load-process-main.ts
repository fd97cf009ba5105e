import { FateCollector } from './export-fates.ts';
import type { LoadOrder } from './load-process.ts';
import { loadReport } from './load-report.ts';
import { runLoad } from './run-load.ts';

// Who has asked is gone: nobody waits for the rest.
process.once('disconnect', () => process.exit(1));
process.once('message', async (order) => {
  const { ca, options } = order as LoadOrder;
  const target = { ...options.target, ca: ca === undefined ? undefined : Buffer.from(ca) };
  const before = process.cpuUsage();
  const collector = new FateCollector();
  const result = await runLoad({ ...options, target }, { onFate: collector.onFate });
  const { user, system } = process.cpuUsage(before);
  process.send?.(loadReport(result, (user + system) / 1e6, collector.fates), () => process.exit(0));
});
