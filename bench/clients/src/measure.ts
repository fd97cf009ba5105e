import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@weir/pipeline';
import { freePorts } from '@weir/testkit';
import type { AnswerCase } from './answer-case.ts';
import { type CaseLine, runProgram, type Told } from './run-program.ts';
import { ScriptedEdge } from './scripted-edge.ts';
import type { SdkClient } from './sdk-client.ts';

export const TRANSPORTS = ['http', 'grpc'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** What a client did with one answer. */
export interface Measured {
  readonly client: SdkClient['name'];
  readonly transport: Transport;
  readonly answer: string;
  /** Requests that came. */
  readonly attempts: number;
  /** Between one of them and the next, s. */
  readonly waitsS: readonly number[];
  /** Whether an export that was answered with success held the span. */
  readonly arrived: boolean;
  /** What the exporter told the SDK. */
  readonly told: Told;
  /** How the bodies came that were read. */
  readonly encodings: readonly string[];
}

/** As OTEL_EXPORTER_OTLP_PROTOCOL names them. */
export const PROTOCOLS: Readonly<Record<Transport, string>> = { http: 'http/protobuf', grpc: 'grpc' };
const POLL_MS = 10;

/** Where a case is served. */
interface Place {
  readonly key: string;
  readonly answerCase: AnswerCase;
  readonly transport: Transport;
  readonly edge: ScriptedEdge;
}

/** Gives one client all cases over both transports at once. @throws where it cannot be installed or does not end well */
export async function measureClient(client: SdkClient, cases: readonly AnswerCase[]): Promise<Measured[]> {
  const command = await client.install();
  const certificatesDir = mkdtempSync(join(tmpdir(), 'weir-clients-'));
  const base = await freePorts();
  const edgeAt = (offset: number, served: readonly AnswerCase[]) =>
    new ScriptedEdge(served, { grpcPort: base + offset, httpPort: base + offset + 1, certificatesDir });
  const edge = edgeAt(0, cases);
  await edge.start();
  const late = cases
    .filter(({ awayMs }) => awayMs !== undefined)
    .map((answerCase, index) => ({ answerCase, edge: edgeAt(2 * (index + 1), [answerCase]) }));
  const places = cases.flatMap((answerCase) =>
    TRANSPORTS.map((transport): Place => {
      const own = late.find((each) => each.answerCase === answerCase)?.edge ?? edge;
      return { key: `${client.name}-${transport}.${answerCase.name}`, answerCase, transport, edge: own };
    }),
  );
  const ended = new AbortController();
  const starting = late.map((each) => startLate(edge, each.edge, each.answerCase.awayMs ?? 0, ended.signal));
  try {
    const told = await runProgram(command, places.map(toLine), join(certificatesDir, 'ca.pem'));
    return places.map((place) => toMeasured(client, place, told));
  } finally {
    ended.abort();
    await Promise.allSettled(starting);
    await Promise.all([edge, ...late.map((each) => each.edge)].map((each) => each.stop()));
    rmSync(certificatesDir, { recursive: true });
  }
}

/** Starts an edge so long after the first attempt that another has seen. */
async function startLate(first: ScriptedEdge, edge: ScriptedEdge, awayMs: number, signal: AbortSignal): Promise<void> {
  while (first.attempts === 0) await systemClock.sleep(POLL_MS, signal);
  await systemClock.sleep(awayMs, signal);
  await edge.start();
}

function toLine({ key, answerCase, transport, edge }: Place): CaseLine {
  const { paddingBytes = 0 } = answerCase;
  return { name: key, protocol: PROTOCOLS[transport], endpoint: edge.endpoints[transport], paddingBytes, key };
}

function toMeasured(client: SdkClient, place: Place, told: ReadonlyMap<string, Told>): Measured {
  const { attemptsMs, arrived, encodings } = place.edge.seen(place.key);
  const waitsS = attemptsMs.slice(1).map((atMs, index) => Math.round((atMs - attemptsMs[index]!) / 10) / 100);
  return {
    client: client.name,
    transport: place.transport,
    answer: place.answerCase.name,
    attempts: attemptsMs.length,
    waitsS,
    arrived: arrived > 0,
    told: told.get(place.key)!,
    encodings: [...encodings],
  };
}
