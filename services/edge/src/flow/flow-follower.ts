import type { Log } from '@weir/delivery';
import { followTopic } from '@weir/flow';
import type { Clock, Component } from '@weir/pipeline';
import { CONTROL_TOPICS, decodeFlowReport } from '@weir/records';
import type { PipeState } from './pipe-state.ts';

/** Follows what sinks and normalizers report on weir.flow. */
export function followFlow(log: Log, clock: Clock, pipe: PipeState, onFault: (error: unknown) => void): Component {
  return followTopic(log, clock, { topic: CONTROL_TOPICS.flow, name: 'flow', onFault }, ({ value }) => {
    const decoded = decodeFlowReport(value);
    if (decoded.ok) pipe.take(decoded.value);
  });
}
