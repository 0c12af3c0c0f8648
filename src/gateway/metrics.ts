import type { CallOutcome } from '../audit/index.ts'
import type { Caller } from '../core/principals.ts'
import { Soon } from '../core/soon.ts'
import { monotonicMs } from '../core/time.ts'
import { CallPath } from './call-path.ts'
import type { CallPathOptions } from './call-path-options.ts'
import { type CallJudged, type Judgeable, type Judging } from './judging.ts'
import type { Paid } from './rounds.ts'

/** Upper bounds in seconds: what we add to a call, and what a server takes. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60]
const OVER = 'sallyport_gateway'

/** How often something took how long. */
class Histogram {
  /** By the lowest bound that it did not exceed; beyond all of them last. */
  readonly #counts = new Array<number>(BOUNDS.length + 1).fill(0)
  #sum = 0

  add(seconds: number): void {
    this.#sum += seconds
    // From the lowest up: what passes takes a moment.
    let at = 0
    while (at < BOUNDS.length && seconds > (BOUNDS[at] as number)) at += 1
    this.#counts[at] = (this.#counts[at] as number) + 1
  }

  lines(name: string, labels: string): readonly string[] {
    let count = 0
    const buckets = this.#counts.map((own, at) => {
      count += own
      return `${name}_bucket{${labels},le="${BOUNDS[at] ?? '+Inf'}"} ${count}`
    })
    return [...buckets, `${name}_sum{${labels}} ${this.#sum}`, `${name}_count{${labels}} ${count}`]
  }
}

interface OfServer {
  readonly calls: { passed: number; denied: number }
  readonly ends: Map<CallOutcome, number>
  readonly judging: Histogram
  readonly answering: Histogram
}

/** A gauge as it stands when it is asked for: name, help, value by server. */
export interface Gauge {
  readonly name: string
  readonly help: string
  readonly values: () => ReadonlyMap<string, number>
}

/** What went through the gateway since it started, in the text format of Prometheus 0.0.4. */
export class GatewayMetrics {
  readonly #servers = new Map<string, OfServer>()
  readonly #startedAt = monotonicMs()

  judged(server: string, judged: CallJudged, milliseconds: number): void {
    const one = this.#of(server)
    if ('denial' in judged) one.calls.denied += 1
    else one.calls.passed += 1
    one.judging.add(milliseconds / 1_000)
  }

  settled(server: string, end: CallOutcome, milliseconds: number): void {
    const { ends, answering } = this.#of(server)
    ends.set(end, (ends.get(end) ?? 0) + 1)
    answering.add(milliseconds / 1_000)
  }

  text(gauges: readonly Gauge[]): string {
    const lines: string[] = []
    const family = (name: string, type: string, help: string): string => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
      return name
    }
    const all = [...this.#servers].toSorted(([a], [b]) => (a < b ? -1 : 1))
    const calls = family(`${OVER}_calls_total`, 'counter', 'Calls of tools, by what was decided.')
    for (const [server, one] of all)
      for (const [decision, count] of Object.entries(one.calls))
        lines.push(`${calls}{${labelled({ server, decision })}} ${count}`)
    const ends = family(`${OVER}_call_ends_total`, 'counter', 'How calls ended that went on.')
    for (const [server, one] of all)
      for (const [end, count] of one.ends)
        lines.push(`${ends}{${labelled({ server, end })}} ${count}`)
    const judging = family(`${OVER}_judging_seconds`, 'histogram', 'What judging a call took.')
    for (const [server, one] of all) lines.push(...one.judging.lines(judging, labelled({ server })))
    const answering = family(`${OVER}_call_seconds`, 'histogram', 'From sending to the answer.')
    for (const [server, one] of all)
      lines.push(...one.answering.lines(answering, labelled({ server })))
    for (const { name, help, values } of gauges) {
      const gauge = family(`${OVER}_${name}`, 'gauge', help)
      for (const [server, value] of [...values()].toSorted(([a], [b]) => (a < b ? -1 : 1)))
        lines.push(`${gauge}{${labelled({ server })}} ${value}`)
    }
    const memory = family('process_resident_memory_bytes', 'gauge', 'Resident memory.')
    lines.push(`${memory} ${process.memoryUsage.rss()}`)
    const up = family(`${OVER}_up_seconds`, 'gauge', 'How long the gateway is open.')
    lines.push(`${up} ${(monotonicMs() - this.#startedAt) / 1_000}`)
    return `${lines.join('\n')}\n`
  }

  #of(server: string): OfServer {
    const known = this.#servers.get(server)
    if (known !== undefined) return known
    const made: OfServer = {
      calls: { passed: 0, denied: 0 },
      ends: new Map(),
      judging: new Histogram(),
      answering: new Histogram(),
    }
    this.#servers.set(server, made)
    return made
  }
}

/** Names of servers hold nothing that would have to be escaped. */
function labelled(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(',')
}

/** The path of a call, with its times and its end counted. */
export class MeteredPath extends CallPath {
  readonly #metrics: GatewayMetrics
  readonly #server: string

  constructor(options: CallPathOptions, metrics: GatewayMetrics) {
    super(options)
    this.#metrics = metrics
    this.#server = options.server
  }

  override judge(what: Judgeable, caller: Caller, paid: Paid | null = null): Judging {
    const from = monotonicMs()
    const judging = super.judge(what, caller, paid)
    if (what.isMethod) return judging
    const meter = (one: CallJudged | Promise<CallJudged>): CallJudged | Promise<CallJudged> =>
      one instanceof Promise
        ? one.then((judged) => this.#metered(judged, from))
        : this.#metered(one, from)
    return judging instanceof Soon ? judging.map(meter) : meter(judging)
  }

  #metered(judged: CallJudged, from: number): CallJudged {
    const at = monotonicMs()
    this.#metrics.judged(this.#server, judged, at - from)
    if ('denial' in judged) return judged
    return {
      ...judged,
      settle: (...given) => {
        this.#metrics.settled(this.#server, given[0], monotonicMs() - at)
        return judged.settle(...given)
      },
    }
  }
}
