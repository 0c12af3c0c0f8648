import type { CallOutcome } from '../audit/index.ts'
import { asFault } from '../core/faults.ts'
import { type Caller, principalName } from '../core/principals.ts'
import { systemClock } from '../core/time.ts'
import { withPart } from '../mcp/wire/index.ts'
import {
  type Charge,
  type LimitScope,
  settledAmount,
  type ToolLimit,
} from '../policy/tool-policy/index.ts'
import { decideByAll, type PoliciesNow, revisionOf } from './applied-policies.ts'
import type { CallRecord, RecordedCall } from './call-record.ts'
import { counterOf, type Taken } from './counters-repository.ts'
import { type Denial, deniedByLimit, deniedByPolicy } from './denial.ts'
import type { MessageInspection } from './message-inspection.ts'
import { type Paid, type RoundOf, Rounds } from './rounds.ts'
import type { ToolCall } from './tool-call.ts'

export interface CallPathOptions {
  readonly server: string
  /** Without a policy: whether calls pass all the same. */
  readonly isShadow: boolean
  readonly policiesNow: () => PoliciesNow
  readonly inspection: MessageInspection
  /** Opened when the first call needs it. */
  readonly record: () => Promise<CallRecord>
  /** What `scope: session` counts by. */
  readonly session: string
  /** What `scope: grant` counts by; without it, the caller. */
  readonly grant?: string
  /** Calls in which the server asks something. Default: its own, which others do not take up. */
  readonly rounds?: Rounds
}

/** A call on its way. Each step may stop it or change what goes on. */
interface Underway {
  readonly call: ToolCall
  readonly caller: Caller
  /** A call is judged and counted by one revision of each. */
  readonly policies: PoliciesNow
  /** What a round before took. */
  readonly paid: Paid | null
  args: ToolCall['args']
  charges: readonly Charge[]
  isDurable: boolean
  /** The rule in shadow that would have stopped it, or null. */
  shadow: string | null
  passed: { readonly seq: number; readonly taken: readonly Taken[] } | null
}

type Step = (underway: Underway) => Denial | null | Promise<Denial | null>

export type CallJudged =
  | { readonly denial: Denial }
  | {
      /** The message that goes to the server. */
      readonly text: string
      /** What it took of limits, for the next round of the same call. */
      readonly paid: Paid
      /**
       * Called once, when it is known how the call ended.
       *
       * @param result - of the answer, where there is one
       */
      settle(end: CallOutcome, result?: unknown): Promise<void>
    }

/**
 * The path of one call: is it allowed, what do its arguments hold, does it fit its limits. The order is that of the
 * steps below; a step that fails denies. A call that comes out is in the audit, and so is one that does not.
 */
export class CallPath {
  readonly #options: CallPathOptions
  readonly #steps: readonly Step[]
  readonly #rounds: Rounds

  constructor(options: CallPathOptions) {
    this.#options = options
    this.#rounds = options.rounds ?? new Rounds()
    this.#steps = [
      (underway) => this.#decide(underway),
      (underway) => this.#inspect(underway),
      (underway) => this.#count(underway),
    ]
  }

  /** Where calls go on in which the server asked something. */
  get rounds(): Rounds {
    return this.#rounds
  }

  /** What rounds of this caller count for right now. */
  roundOf(caller: Caller): RoundOf {
    const { server, grant, policiesNow } = this.#options
    const who = grant === undefined ? principalName(caller.principal) : `grant:${grant}`
    return { server, who, revision: revisionOf(policiesNow()) }
  }

  /** @param paid what a round before took: then nothing more is taken */
  async judge(call: ToolCall, caller: Caller, paid: Paid | null = null): Promise<CallJudged> {
    const { policiesNow } = this.#options
    const underway: Underway = {
      call,
      caller,
      policies: policiesNow(),
      paid,
      args: call.args,
      charges: [],
      isDurable: false,
      shadow: null,
      passed: null,
    }
    try {
      for (const step of this.#steps) {
        const denial = await step(underway)
        if (denial === null) continue
        if (!denial.isRecorded)
          await (await this.#options.record()).refuse({
            ...this.#recorded(underway),
            rule: denial.rule,
          })
        return { denial }
      }
    } catch (error) {
      const { code, message, help, details } = asFault(error)
      const { remedy } = details
      const cure = typeof remedy === 'string' ? remedy : help
      return {
        denial: { rule: code, kind: 'denied', text: `${message}\n${cure}`, isRecorded: true },
      }
    }
    return this.#goingOn(underway)
  }

  #decide(underway: Underway): Denial | null {
    const { policies } = underway
    if (policies.length === 0)
      return this.#options.isShadow
        ? null
        : deniedByPolicy('(no policy)', 'There is no policy for this server.')
    const { principal, client = null } = underway.caller
    const decision = decideByAll(policies, {
      tool: underway.call.tool,
      args: underway.args,
      principal: principalName(principal),
      labels: principal.id === 'local' ? [] : null,
      client,
      at: systemClock(),
      annotations: null,
      toolClass: null,
    })
    if (decision.allowed) {
      const { needsApproval, judgesResult, charges, isDurable } = decision
      if (needsApproval !== null) return deniedByPolicy(needsApproval.rule, needsApproval.reason)
      if (judgesResult)
        return deniedByPolicy('(policy)', 'The policy asks for what this gateway cannot do.')
      underway.charges = charges
      underway.isDurable = isDurable
      underway.shadow = decision.shadow?.rule ?? null
      return null
    }
    const denial = deniedByPolicy(decision.rule, decision.reason)
    return decision.isHidden ? { ...denial, kind: 'unknown-tool' } : denial
  }

  async #inspect(underway: Underway): Promise<Denial | null> {
    const { call, caller } = underway
    const inspected = await this.#options.inspection.input(caller, call.tool, underway.args)
    if ('refusal' in inspected)
      return {
        rule: 'INSPECTION_REFUSED',
        kind: 'denied',
        text: inspected.refusal,
        isRecorded: false,
      }
    if (inspected.value === underway.args) return null
    underway.args = inspected.value as ToolCall['args']
    // What goes on is what has to be allowed.
    return this.#decide(underway)
  }

  async #count(underway: Underway): Promise<Denial | null> {
    const record = await this.#options.record()
    const passed = await record.pass({
      ...this.#recorded(underway),
      isDurable: underway.isDurable,
      charges:
        underway.paid !== null
          ? []
          : underway.charges.map(({ limit, ...charge }) => ({
              ...charge,
              limit,
              counter: this.#counterOf(limit, underway.caller),
            })),
    })
    if ('exceeded' in passed) return deniedByLimit(passed)
    underway.passed = { ...passed, taken: underway.paid?.taken ?? passed.taken }
    return null
  }

  #counterOf(limit: ToolLimit, caller: Caller): string {
    return counterOf(this.#options.server, this.#scopeId(limit.scope, caller), limit)
  }

  /** On one machine the grant of a server is the agent of that machine. */
  #scopeId(scope: LimitScope, { principal }: Caller): string {
    const { session, grant } = this.#options
    if (scope === 'session') return session
    if (scope === 'grant' && grant !== undefined) return `grant:${grant}`
    return scope === 'grant' || scope === 'agent' ? `${principal.kind}:${principal.id}` : ''
  }

  /** What the answer says of costs that were estimated. */
  #corrections(underway: Underway, taken: readonly Taken[], result: unknown) {
    return underway.charges.flatMap(({ limit }) => {
      const amount = settledAmount(limit, result)
      const counter = this.#counterOf(limit, underway.caller)
      const one = taken.find((other) => other.counter === counter)
      return amount === null || one === undefined || one.amount === amount
        ? []
        : [{ taken: one, amount }]
    })
  }

  #recorded({ call, caller, args, policies, shadow }: Underway): RecordedCall {
    const { server } = this.#options
    const keys = Object.keys(args)
    const revision = revisionOf(policies)
    return { caller, server, tool: call.tool, keys, revision, ...(shadow !== null && { shadow }) }
  }

  #goingOn(underway: Underway): CallJudged {
    const { call, args, passed } = underway
    const { request, params } = call
    const isChanged = args !== call.args && request.params !== null
    return {
      text:
        isChanged && request.params !== null
          ? withPart(request, request.params, { ...params, arguments: args })
          : request.text,
      paid: { taken: passed?.taken ?? [] },
      settle: async (end, result) => {
        if (passed === null) return
        const record = await this.#options.record()
        const corrections = this.#corrections(underway, passed.taken, result)
        if (corrections.length > 0) await record.correct(corrections)
        await record.settle({ ...this.#recorded(underway), ...passed }, end)
      },
    }
  }
}
