import { ANSWER_CASES, wireAnswer } from './answer-case.ts';
import type { ClientResult } from './client-results.ts';
import { habitsOf } from './habits.ts';
import { type Measured, TRANSPORTS, type Transport } from './measure.ts';

const INTRODUCTION = `# What real clients do with each answer

<!-- Written by \`npm run clients\` from bench/results/clients.json. A test compares. -->

\`npm run clients\` gives the OpenTelemetry SDKs for JavaScript, Python, Java and Go every answer that an edge has. What goes over
the wire is the edge's own: its receivers, over TLS, before a consumer that answers by script; what is too large they refuse themselves. Each case is a span of its own, sent by
the SDK's batch processor and its OTLP exporter with gzip and else their default settings; all cases of a client run at once.
Waits are between the headers of one attempt and of the next, at the edge, in seconds. Each case was run once; where a client
adds chance to its waits, another run shows other ones. The exporters of logs and metrics are not in these tables.
`;

const NAMES: Readonly<Record<Transport, string>> = { http: 'HTTP/protobuf', grpc: 'gRPC' };

const ADVICE = `## What follows

- A refusal is not a loss as long as the exporter comes again in time. Most give an export 10 s in all: an edge asks for 5 s at most,
  so that there are 5 s left for the attempt that follows, and a longer outage is bridged by a Collector with a queue in front of Weir.
- JavaScript over gRPC drops at every refusal. Use its HTTP exporter.
- Go begins with a wait of about 5 s of its own, whatever it is asked, and over gRPC has 10 s in all: that is room for one more attempt.
  \`OTEL_EXPORTER_OTLP_TIMEOUT=30000\` gives it room for more (two refusals of 1 s: 5 of 5 exports arrived with it, 0 of 5 without).
- Go drops, and does not come again, when nobody listens. Envoy listens while edges are away.
- Python and Java over gRPC send what is too large again, though RESOURCE_EXHAUSTED without RetryInfo says not to. It costs them and
  the edge the bytes, and nothing else. Over HTTP nobody does.
- Go tells its SDK of a partial success as a failure. What was accepted is stored, and is not sent again.
- On Node 26 @grpc/grpc-js takes no IP address as a TLS endpoint; give it a host name.
`;

/** docs/CLIENTS.md, whole. */
export function renderClientsPage(results: readonly ClientResult[]): string {
  const shown = results.filter(({ measured }) => measured.length > 0);
  const missing = results
    .filter(({ measured }) => measured.length === 0)
    .map(({ title }) => `${title}: not measured; it could not be installed and run where this page was written.\n`);
  return [
    INTRODUCTION,
    ...missing,
    renderHabits(shown),
    ...TRANSPORTS.map((transport) => renderTable(shown, transport)),
    ADVICE,
  ].join('\n');
}

function renderHabits(results: readonly ClientResult[]): string {
  const rows = results.flatMap(({ title, version, measured }) =>
    TRANSPORTS.map((transport) => {
      const { waits, givesUp } = habitsOf(measured, transport);
      const { attempts, seconds } = givesUp;
      const limit = attempts === 1 ? 'at once' : `after ${attempts} attempts in ${seconds.toFixed(1)} s`;
      return [`${title} ${version}`, NAMES[transport], waits, limit];
    }),
  );
  return renderRows(['SDK', 'transport', 'after a refusal it waits', 'gives up, refused for ever with 1 s'], rows);
}

function renderTable(results: readonly ClientResult[], transport: Transport): string {
  const head = ['what the edge does', 'its answer', ...results.map(({ title }) => title)];
  const rows = ANSWER_CASES.map((answerCase) => [
    answerCase.title,
    wireAnswer(answerCase, transport),
    ...results.map(({ measured }) => {
      const found = measured.find((each) => each.answer === answerCase.name && each.transport === transport);
      return found === undefined ? 'not measured' : describe(found);
    }),
  ]);
  return `## ${NAMES[transport]}\n\n${renderRows(head, rows)}`;
}

/** One cell. */
function describe({ attempts, waitsS, arrived, told }: Measured): string {
  const contrary = arrived && told === 'failure' ? ', told its SDK that it failed' : '';
  if (attempts === 0) return '**dropped**, no attempt came';
  const waits = waitsS.length === 0 ? '' : `: waits ${waitsS.map((wait) => wait.toFixed(1)).join(', ')}`;
  const tries = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
  return `${arrived ? 'arrived' : '**dropped**'}, ${tries}${waits}${contrary}`;
}

function renderRows(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('');
}
