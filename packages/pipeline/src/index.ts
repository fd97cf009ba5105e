export { Budget, type BudgetLimits } from './budget.ts';
export type { ClientTls, TlsMaterial } from './client-tls.ts';
export { type Clock, heardClock, systemClock } from './clock.ts';
export type { Consumer } from './consumer.ts';
export { type DependencyCode, DependencyError, InvariantError, invariant } from './errors.ts';
export { FAULT_POINTS, type FaultPoint, faultPoint, onFaultPoint } from './fault-point.ts';
export { type Component, createLifecycle, type StopFault } from './lifecycle.ts';
export {
  type Accepted,
  type Outcome,
  REFUSALS,
  type RefusalReason,
  type RefusalRule,
  type Refused,
  refuse,
} from './outcome.ts';
export { freeBytes, isAlone, ownBytes } from './owned-bytes.ts';
export { SIGNALS, type SignalKind } from './signal-kind.ts';
export { takes, ZONE_BOUNDS, ZONES, type Zone, ZoneGauge, zoneAt } from './zone.ts';
export { zstdFrame } from './zstd.ts';
