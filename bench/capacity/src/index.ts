export { CapacityStack } from './capacity-stack.ts';
export { measurePoint } from './measure-point.ts';
export type { LoadSpec, PointResult, StackSpec } from './point.ts';
