import type { ReplayedChange, ReplayedOutcome, ReplayReport } from '../../core/replay-port.ts'
import type { EpochMs } from '../../core/time.ts'
import type { Denied, LimitScope, ToolLimit } from '../../policy/tool-policy/index.ts'
import {
  type Choose,
  everyWay,
  type RecordedParts,
  type RecordedSubject,
  replayedPolicy,
  replayedSettlement,
  shownSubjectPath,
  UNRECORDED,
  unknownCostOf,
} from '../../policy/tool-policy/texts.ts'
import {
  type AllowedByAll,
  decideByAll,
  decideResultByAll,
  type PoliciesNow,
  type Subject,
} from '../applied-policies.ts'
import { limitCharge } from '../limit-charge.ts'
import { type RecordedCall, type RecordedEnd, shownWithHoles, withHoles } from './recorded-call.ts'
import type { ReadEntry } from './recordings.ts'
import {
  type Counted,
  type ReplayedCharge,
  ReplayedLimits,
  type WouldCount,
} from './replayed-limits.ts'

/** Beyond so many ways in which what was not kept may have been, nothing is said. */
const MOST_WAYS = 512
/** Changes that are told one by one. */
const MAX_TOLD = 1_000
const GIVEN_BACK: ReadonlySet<string> = new Set(['refused-by-server', 'never-sent'])
/** Calls whose end is waited for; those that were never answered give way. */
const MAX_OPEN = 100_000

export interface ReplayOptions {
  readonly drafts: PoliciesNow
  /** Only calls from then on are compared; those before are counted. */
  readonly since: EpochMs
  readonly showsArguments: boolean
}

/** What became of a call under the drafts, or why that cannot be said. */
type Judged =
  | { readonly outcome: ReplayedOutcome; readonly rule: string | null }
  | { readonly outcome: 'undecidable'; readonly paths: readonly string[] }

interface DraftCharge extends ReplayedCharge {
  readonly limit: ToolLimit
}

interface Counting {
  readonly judged: Judged
  /** What it takes if it passes; of one counter there may be several. */
  readonly charges: readonly DraftCharge[]
}

/** A call whose end may still say something. */
interface Open {
  readonly call: RecordedCall
  readonly recorded: RecordedSubject
  readonly judged: Judged
  readonly charges: readonly DraftCharge[]
  readonly were: readonly Counted[]
  readonly would: readonly WouldCount<DraftCharge>[]
}

/** Judges recorded calls by drafts, one after another, and gathers what would be otherwise. */
export class Replay {
  readonly #options: ReplayOptions
  readonly #limits = new ReplayedLimits()
  /** By process and number. */
  readonly #open = new Map<string, Open>()
  readonly #changes = new Map<
    string,
    { -readonly [K in keyof ReplayedChange]: ReplayedChange[K] }
  >()
  readonly #told: ReplayReport['calls'][number][] = []
  readonly #undecided = new Map<string, { -readonly [K in keyof Undecided]: Undecided[K] }>()
  readonly #servers = new Set<string>()
  #first: EpochMs | null = null
  #compared = 0
  #changed = 0
  #undecidable = 0
  #lost = 0
  unreadable = 0

  constructor(options: ReplayOptions) {
    this.#options = options
  }

  add({ run, entry }: ReadEntry): void {
    switch (entry.kind) {
      case 'gap':
        if (entry.at >= this.#options.since) this.#lost += entry.lost
        return
      case 'end':
        this.#ended(`${run}/${entry.of}`, entry)
        return
      case 'call':
        this.#called(`${run}/${entry.n}`, entry)
    }
  }

  report(): ReplayReport {
    for (const open of this.#open.values()) if (open.call.readsAnswer) this.#never(open)
    this.#open.clear()
    return {
      since: this.#options.since,
      first: this.#first,
      servers: [...this.#servers].toSorted(),
      compared: this.#compared,
      changed: this.#changed,
      undecidable: this.#undecidable,
      lost: this.#lost,
      unreadable: this.unreadable,
      changes: [...this.#changes.values()].toSorted((a, b) => b.count - a.count),
      undecided: [...this.#undecided.values()].toSorted((a, b) => b.count - a.count),
      calls: this.#told.toSorted((a, b) => a.at - b.at),
    }
  }

  #called(key: string, call: RecordedCall): void {
    const recorded = recordedSubject(call)
    const were = this.#limits.was(call)
    const { judged, charges } = this.#judge(call, recorded)
    const isSure = judged.outcome === 'allowed'
    const isTaken = isSure || judged.outcome === 'undecidable'
    const would = isTaken ? this.#limits.take(charges, call.at, isSure) : []
    const open = { call, recorded, judged, charges, were, would }
    if (!call.readsAnswer) this.#never(open)
    if (!call.readsAnswer && were.length + would.length === 0) return
    this.#open.set(key, open)
    const [oldest] = this.#open
    if (this.#open.size <= MAX_OPEN || oldest === undefined) return
    this.#open.delete(oldest[0])
    if (oldest[1].call.readsAnswer) this.#never(oldest[1])
  }

  /** Its answer was not read, or never came. */
  #never(open: Open): void {
    this.#compare(open.call, open.call.verdict, open.call.rule, this.#answered(open, null))
  }

  #ended(key: string, end: RecordedEnd): void {
    const open = this.#open.get(key)
    if (open === undefined) return
    this.#open.delete(key)
    const { were, would, call } = open
    if (GIVEN_BACK.has(end.end)) this.#limits.giveBack(were, would)
    else this.#settle(open, end)
    if (!call.readsAnswer) return
    const { withheld } = end
    const judged = this.#answered(open, end)
    if (withheld === null) this.#compare(call, call.verdict, call.rule, judged)
    else this.#compare(call, 'withheld', withheld, judged)
  }

  #settle({ charges, were, would }: Open, { parts, costs }: RecordedEnd): void {
    const actual = new Map(costs)
    for (const one of were) {
      const cost = actual.get(one.counter)
      if (cost !== undefined) this.#limits.cost(one, cost)
    }
    if (parts === null) return
    for (const one of would) {
      const costs = charges
        .filter(({ counter }) => counter === one.counter)
        .map(({ limit, amount }) => ({
          cost: replayedSettlement(partsOf(parts), limit),
          amount,
        }))
      if (costs.every(({ cost }) => cost === null)) continue
      const isKnown = costs.every(({ cost }) => cost !== 'unrecorded')
      const known = costs.map(({ cost, amount }) => (typeof cost === 'number' ? cost : amount))
      this.#limits.wouldCost(one, isKnown ? Math.max(...known) : null)
    }
  }

  #judge(call: RecordedCall, recorded: RecordedSubject): Counting {
    const { ways, asked } = this.#ways(call, recorded, (drafts) =>
      decideByAll(drafts, recorded.subject),
    )
    if (ways === null) return { judged: { outcome: 'undecidable', paths: asked }, charges: [] }
    const byOutcome = new Map<string, Counting>()
    for (const way of ways) {
      const one = way.allowed ? this.#counting(call, way) : refused(way)
      if (!byOutcome.has(one.judged.outcome)) byOutcome.set(one.judged.outcome, one)
    }
    const [only, ...others] = byOutcome.values()
    if (only !== undefined && others.length === 0) return only
    const found = [...byOutcome.values()]
    const open = found.flatMap(({ judged }) => ('paths' in judged ? judged.paths : []))
    return {
      judged: { outcome: 'undecidable', paths: [...new Set([...asked, ...open])] },
      charges: found.flatMap(({ charges }) => charges),
    }
  }

  /** What the drafts come to; of a call that was kept whole there is one way. */
  #ways<T>(
    call: RecordedCall,
    recorded: RecordedSubject,
    decide: (drafts: PoliciesNow) => T,
  ): { readonly ways: readonly T[] | null; readonly asked: readonly string[] } {
    const { drafts } = this.#options
    const isWhole = call.args.holes.length === 0 && recorded.hasAnnotations
    if (isWhole && recorded.parts === null) return { ways: [decide(drafts)], asked: [] }
    const asked = new Set<string>()
    const ways = everyWay((choose) => {
      const ask: Choose = (question, some) => {
        asked.add(shownSubjectPath(question.path))
        return choose(question, some)
      }
      return decide(
        drafts.map((one) => ({ ...one, policy: replayedPolicy(one.policy, recorded, ask) })),
      )
    }, MOST_WAYS)
    return { ways, asked: [...asked] }
  }

  #counting(call: RecordedCall, decision: AllowedByAll): Counting {
    const charges = call.isPaid ? [] : decision.charges.map((one) => chargeOf(call, one))
    const fit = this.#limits.fit(charges, call.at)
    if (fit.kind === 'exceeds')
      return { judged: { outcome: 'limited', rule: fit.charge.limit.pointer }, charges: [] }
    const { needsApproval } = decision
    const asks = needsApproval !== null && !call.isApproved && !call.isPaid
    if (fit.kind === 'open') {
      const paths = [`limit ${fit.charge.limit.pointer}`]
      return { judged: { outcome: 'undecidable', paths }, charges: asks ? [] : charges }
    }
    if (asks) return { judged: { outcome: 'approval', rule: needsApproval.rule }, charges: [] }
    return { judged: { outcome: 'allowed', rule: null }, charges }
  }

  /** What would have become of the answer. */
  #answered({ call, recorded, judged }: Open, end: RecordedEnd | null): Judged {
    if (judged.outcome !== 'allowed') return judged
    // Where it was read, there was none without an end that says what was read. A call that did not pass had none yet.
    const wasAsked = call.verdict === 'allowed'
    if (wasAsked && (end === null ? call.readsAnswer : end.parts === null)) return judged
    const kept = { ...recorded, parts: partsOf(end?.parts ?? []) }
    const { ways, asked } = this.#ways(
      call,
      kept,
      (drafts) => decideResultByAll(drafts, kept.subject, {}).denied,
    )
    const [first = null] = ways ?? []
    const isSame = ways?.every((one) => (one === null) === (first === null)) ?? false
    if (!isSame) return { outcome: 'undecidable', paths: asked }
    return first === null ? judged : { outcome: 'withheld', rule: first.rule }
  }

  #compare(call: RecordedCall, from: ReplayedOutcome, was: string | null, judged: Judged): void {
    if (call.at < this.#options.since) return
    const { server, name, isMethod, at } = call
    this.#first = this.#first === null ? at : (Math.min(this.#first, at) as EpochMs)
    this.#servers.add(server)
    this.#compared += 1
    const of = { server, name, isMethod }
    if (judged.outcome === 'undecidable') {
      this.#undecidable += 1
      const paths = judged.paths.toSorted()
      gather(this.#undecided, JSON.stringify([of, paths]), at, { ...of, paths })
      return
    }
    if (judged.outcome === from) return
    this.#changed += 1
    const change = { ...of, from, to: judged.outcome, was, rule: judged.rule }
    gather(this.#changes, JSON.stringify(change), at, { ...change, argumentNames: [] })
    const group = this.#changes.get(JSON.stringify(change))
    if (group !== undefined)
      group.argumentNames = [...new Set([...group.argumentNames, ...call.names])].slice(0, 100)
    if (this.#told.length >= MAX_TOLD) return
    const { principal, client, names, args } = call
    this.#told.push({
      ...change,
      at,
      principal,
      client,
      argumentNames: names,
      ...(this.#options.showsArguments && { arguments: shownWithHoles(args) }),
    })
  }
}

type Undecided = ReplayReport['undecided'][number]

interface Group {
  readonly count: number
  readonly firstAt: EpochMs
  readonly lastAt: EpochMs
}

function gather<G extends Group>(
  groups: Map<string, { -readonly [K in keyof G]: G[K] }>,
  key: string,
  at: EpochMs,
  made: Omit<G, keyof Group>,
): void {
  const known = groups.get(key)
  if (known === undefined) {
    groups.set(key, { ...made, count: 1, firstAt: at, lastAt: at } as never)
    return
  }
  known.count += 1
  known.firstAt = Math.min(known.firstAt, at) as EpochMs
  known.lastAt = Math.max(known.lastAt, at) as EpochMs
}

function recordedSubject(call: RecordedCall): RecordedSubject {
  const { principal, labels, client, at, annotations, toolClass, name, isMethod } = call
  const asker = { principal, labels, client, at }
  const args = withHoles(call.args) as Readonly<Record<string, unknown>>
  const subject: Subject = isMethod
    ? { ...asker, method: name, params: args }
    : { ...asker, tool: name, args, annotations: annotations ?? null, toolClass }
  return { subject, hasAnnotations: annotations !== undefined, parts: null }
}

function partsOf(parts: RecordedEnd['parts']): RecordedParts {
  return (parts ?? []).map(({ path, found }) => {
    if (typeof found === 'string') return { path, found }
    const value = withHoles(found)
    return { path, found: value === UNRECORDED ? 'unrecorded' : { value } }
  })
}

function chargeOf(call: RecordedCall, charge: AllowedByAll['charges'][number]): DraftCharge {
  const counted = limitCharge(charge, call.server, scopeIdOf(call, charge.limit.scope))
  const cost = unknownCostOf(charge.limit)
  if (cost === null) return { ...counted, isKnown: true }
  // The same limit read the same amount then.
  const read = JSON.stringify(cost)
  const then = call.charges.find((one) => one.counter === counted.counter && one.cost === read)
  return { ...counted, amount: then?.amount ?? 0, isKnown: then !== undefined }
}

function refused({ isHidden, rule }: Denied): Counting {
  return { judged: { outcome: isHidden ? 'hidden' : 'denied', rule }, charges: [] }
}

function scopeIdOf({ session, grant, who }: RecordedCall, scope: LimitScope): string {
  if (scope === 'session') return session
  if (scope === 'grant' && grant !== null) return `grant:${grant}`
  return scope === 'grant' || scope === 'agent' ? who : ''
}
