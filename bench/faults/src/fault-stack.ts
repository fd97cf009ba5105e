import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { derivePorts } from '@weir/local';
import type { FaultPoint } from '@weir/pipeline';
import { freePorts, pause, TestStack } from '@weir/testkit';
import { Member } from './member.ts';
import { OwnDisk } from './own-disk.ts';
import { type Link, type ProxyFault, TcpProxy } from './tcp-proxy.ts';
import { undoAll } from './undo-all.ts';
import { expectThat, until } from './until.ts';

const POLL_MS = 50;
const BACK_MS = 60_000;
/** Behind the ports of the stack's own tracks. */
const MEMBERS_AT = 50;
const PORTS_PER_MEMBER = 3;
const SIGUSR2 = constants.signals.SIGUSR2;

/** What a row needs of the stack that it strikes. */
export interface StackNeeds {
  readonly env?: Readonly<Record<string, string>>;
  /** Whose data lies on a file system of its own, so that it can be full. */
  readonly ownDisk?: 'kafka' | 'clickhouse';
}

/** One proxy for each link; the edge has a port for each transport. */
interface Proxies {
  readonly kafka: TcpProxy;
  readonly clickhouse: TcpProxy;
  readonly edgeGrpc: TcpProxy;
  readonly edgeHttp: TcpProxy;
}

/** The stack of a row: started for fault tests, with proxies before Kafka, ClickHouse and the edge. */
export class FaultStack {
  readonly stack: TestStack;
  readonly kafka: Link;
  readonly clickhouse: Link;
  /** Between Envoy and the edge. */
  readonly edge: Link;
  /** Of the row that asks for one. */
  readonly disk: OwnDisk | undefined;
  readonly portBase: number;
  readonly #members = new Map<number, Member>();
  readonly #proxies: Proxies;
  readonly #scratch: string;
  readonly #pointFile: string;
  readonly #atStop: (() => void)[] = [];

  private constructor(
    stack: TestStack,
    portBase: number,
    proxies: Proxies,
    disk: OwnDisk | undefined,
    scratch: string,
  ) {
    this.stack = stack;
    this.portBase = portBase;
    this.kafka = proxies.kafka;
    this.clickhouse = proxies.clickhouse;
    this.edge = {
      set fault(fault: ProxyFault) {
        proxies.edgeGrpc.fault = fault;
        proxies.edgeHttp.fault = fault;
      },
      get struck() {
        return proxies.edgeGrpc.struck + proxies.edgeHttp.struck;
      },
    };
    this.disk = disk;
    this.#proxies = proxies;
    this.#scratch = scratch;
    this.#pointFile = join(scratch, 'fault-point');
  }

  /** @throws where the row needs what cannot be had here */
  static async start({ env = {}, ownDisk }: StackNeeds, random: () => number): Promise<FaultStack> {
    const scratch = mkdtempSync(join(tmpdir(), 'weir-faults-'));
    const data = join(scratch, 'data');
    const portBase = await freePorts();
    const ports = derivePorts(portBase, ['v1']);
    const to = (port: number) => new TcpProxy(port, random);
    const edge = ports.tracks.v1!.edges[0]!;
    const proxies: Proxies = {
      kafka: to(ports.brokers[0]!.client),
      clickhouse: to(ports.clickhouse),
      edgeGrpc: to(edge.grpc),
      edgeHttp: to(edge.http),
    };
    let disk: OwnDisk | undefined;
    try {
      if (ownDisk !== undefined) disk = OwnDisk.mount(join(data, ownDisk));
      // Of several brokers none has a proxy: they would copy from each other through it.
      const kafka = env.WEIR_LOCAL_KAFKA_BROKERS === undefined ? await proxies.kafka.listen() : '';
      const stack = await TestStack.start(data, {
        portBase,
        env: {
          WEIR_LOCAL_PROXY_KAFKA: String(kafka),
          WEIR_LOCAL_PROXY_CLICKHOUSE: String(await proxies.clickhouse.listen()),
          WEIR_LOCAL_PROXY_EDGE_GRPC: String(await proxies.edgeGrpc.listen()),
          WEIR_LOCAL_PROXY_EDGE_HTTP: String(await proxies.edgeHttp.listen()),
          WEIR_FAULT_POINTS_FILE: join(scratch, 'fault-point'),
          // What is killed for the tenth time is started again as soon as for the first.
          WEIR_LOCAL_STEADY_MS: '0',
          ...env,
        },
      });
      return new FaultStack(stack, portBase, proxies, disk, scratch);
    } catch (error) {
      await Promise.all(Object.values(proxies).map((proxy: TcpProxy) => proxy.close()));
      disk?.unmount();
      rmSync(scratch, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * Has the service killed at the step, and waits until it was and until it is back.
   * @throws where it ended elsewhere, or not within a minute
   */
  async killAt(point: FaultPoint): Promise<void> {
    const service = point.split('.')[0]!;
    const before = this.stack.pid(service);
    const reached = `${this.#pointFile}.reached`;
    writeFileSync(this.#pointFile, point);
    writeFileSync(reached, '');
    // One that has just been started has no handler yet: the signal itself would end it.
    await until(`${service} listens for faults`, () => catches(before, SIGUSR2));
    process.kill(before, 'SIGUSR2');
    await this.back(service, before);
    const where = readFileSync(reached, 'utf8');
    expectThat(where === `${before} ${point}`, `${service} ended before it came to ${point}`);
  }

  /** Has the edge killed while a body is on its way: one that comes in two pieces. */
  async killInBody(): Promise<void> {
    const { hostname, port } = new URL(this.stack.local.edge.http);
    const upload = connectTls({ host: hostname, port: Number(port), ca: this.stack.ca });
    upload.on('error', () => undefined);
    const head = `POST /v1/traces HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${this.stack.key('demo')}\r\n`;
    const killed = this.killAt('edge.in_body');
    await pause(200);
    upload.write(`${head}content-type: application/json\r\ncontent-length: 1000\r\n\r\n{`);
    await killed;
    upload.destroy();
  }

  /** Signals a process that ends by it, and waits until another is in its place. */
  async end(name: string, signal: NodeJS.Signals): Promise<void> {
    const before = this.stack.pid(name);
    this.stack.signal(name, signal);
    await this.back(name, before);
  }

  /** Stands still for a while. */
  async freeze(name: string, ms: number): Promise<void> {
    this.stack.signal(name, 'SIGSTOP');
    await pause(ms);
    this.stack.signal(name, 'SIGCONT');
  }

  async back(name: string, before: number): Promise<void> {
    const deadline = Date.now() + BACK_MS;
    while (this.stack.pid(name) === before) {
      if (Date.now() > deadline) throw new Error(`${name} was not ended by its fault`);
      await pause(POLL_MS);
    }
  }

  /**
   * Starts one more process of a service, on the ports of a slot (0 to 2), once the former one of that slot has ended. It is not
   * ready yet.
   */
  async join(service: string, slot: number): Promise<Member> {
    await this.#members.get(slot)?.untilEnded();
    const member = new Member(this.stack, service, slot, this.portBase + MEMBERS_AT + slot * PORTS_PER_MEMBER);
    this.#members.set(slot, member);
    member.start();
    return member;
  }

  /** One that has joined. */
  member(slot: number): Member {
    const found = this.#members.get(slot);
    if (found === undefined) throw new Error(`nothing has joined in slot ${slot}`);
    return found;
  }

  /** Lets the wall clock of a service be off by so much, at once and when it is started again. Of services that load `shifted-clock.ts`. */
  setClock(service: string, offsetMs: number): void {
    const file = join(this.#scratch, `clock-${service}`);
    writeFileSync(`${file}.new`, String(offsetMs));
    renameSync(`${file}.new`, file);
  }

  /** Has something undone once the stack has stopped. */
  atStop(undo: () => void): void {
    this.#atStop.push(undo);
  }

  async stop(): Promise<void> {
    await undoAll([
      ...[...this.#members.values()].map((member) => () => member.end('SIGKILL')),
      () => this.stack.stop(),
      ...Object.values(this.#proxies).map((proxy: TcpProxy) => () => proxy.close()),
      () => this.disk?.unmount(),
      ...this.#atStop,
      () => rmSync(this.#scratch, { recursive: true, force: true }),
    ]);
  }
}

/** Whether a process has a handler for a signal. */
function catches(pid: number, signal: number): boolean {
  const mask = /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}
