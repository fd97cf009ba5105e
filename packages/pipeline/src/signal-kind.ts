/** The three kinds of telemetry that OTLP carries, by the names that its URLs use. */
export const SIGNALS = ['traces', 'logs', 'metrics'] as const;

export type SignalKind = (typeof SIGNALS)[number];
