import { asFault } from '../core/faults.ts'
import type { Caller } from '../core/principals.ts'
import { promised, Soon } from '../core/soon.ts'
import { monotonicMs } from '../core/time.ts'
import { isOurs, toldTo } from '../core/told.ts'
import { traceIdIn } from '../mcp/wire/index.ts'
import {
  type LimitScope,
  type MethodSubject,
  type NeedsApproval,
  OPEN_METHODS,
} from '../policy/tool-policy/index.ts'
import {
  ALLOWED,
  decideByAll,
  decideResultByAll,
  deniesChange,
  revisionOf,
  type Subject,
  withoutNamesOfAll,
} from './applied-policies.ts'
import { type AskedCall, actOf, approvalDenial, approvalOf, toShow } from './call-approval.ts'
import type { CallPathOptions } from './call-path-options.ts'
import type { CallRecord, Passed } from './call-record.ts'
import { type AuditedCall, withoutKnown } from './call-texts.ts'
import { type Denial, deniedByLimit, deniedByPolicy, MISTAKABLE } from './denial.ts'
import type { CallJudged, Judgeable, JudgedNow, Judging } from './judging.ts'
import { counterOf, type LimitCharge, limitCharge, settledCounts } from './limit-charge.ts'
import { isAboutTask, judgedOf, MadeTasks } from './made-tasks.ts'
import type { KnownValues, MessageInspection } from './message-inspection.ts'
import { isMistakable } from './methods.ts'
import type { RecordedVerdict } from './recording/recorded-call.ts'
import { isRecording, type QueuedCall } from './recording/recorder.ts'
import { type Paid, type RoundOf, Rounds, whoOf } from './rounds.ts'
import { SeenTools } from './seen-tools.ts'
import { ServerHealth } from './server-health.ts'
import { decideTask } from './task-decision.ts'
import { askerOf, textOf, tookText, type Underway } from './underway.ts'

type Taken = Denial | null | Promise<Denial | null>

type Step = readonly [
  name: string,
  /** May be done later in this turn of the event loop. */
  take: (underway: Underway) => Taken | Soon<Taken>,
]

/**
 * The path of one call: is it allowed, what do its arguments hold, does a person have to allow it, does it fit its
 * limits. The order is that of the steps below; a step that fails denies. A call that comes out is in the audit, and so
 * is one that does not. Nothing is waited for that is at hand.
 */
export class CallPath {
  readonly #options: CallPathOptions
  /** What the server says of its tools. */
  readonly tools = new SeenTools()
  /** Where calls go on in which the server asked something. */
  readonly rounds: Rounds
  readonly tasks: MadeTasks
  readonly people: CallPathOptions['people']
  readonly health: ServerHealth
  #record: CallRecord | null = null
  readonly #steps: readonly Step[] = [
    ['decide', (underway) => this.#decide(underway)],
    ['inspect', (underway) => this.#inspect(underway)],
    ['bear', (underway) => this.#bear(underway)],
    ['count', (underway) => this.#count(underway)],
  ]

  constructor(options: CallPathOptions) {
    this.#options = options
    this.rounds = options.rounds ?? new Rounds()
    this.people = options.people
    this.tasks = options.tasks ?? new MadeTasks()
    this.health = options.health ?? new ServerHealth()
  }

  /** Whether calls are denied for want of a policy: then nothing is shown of what could be called. */
  get isClosed(): boolean {
    const { isShadow, policiesNow } = this.#options
    return !isShadow && policiesNow().length === 0
  }

  /** What rounds of this caller count for right now. */
  roundOf(caller: Caller): RoundOf {
    const { server, grant, policiesNow } = this.#options
    return { server, who: whoOf(caller, grant), revision: revisionOf(policiesNow()) }
  }

  /** @param paid what a round before took, when a person had to allow it, too: then nothing more is taken */
  judge(what: Judgeable, caller: Caller, paid: Paid | null = null): Judging {
    try {
      const known = this.#options.inspection.known(caller)
      if (known instanceof Promise)
        return known.then(
          (one) => promised(this.#judge(what, caller, paid, one)),
          (error: unknown) => this.#unjudged(error, caller),
        )
      return this.#judge(what, caller, paid, known)
    } catch (error) {
      return this.#unjudged(error, caller)
    }
  }

  #judge(what: Judgeable, caller: Caller, paid: Paid | null, known: KnownValues | null): Judging {
    const underway: Underway = {
      what,
      caller,
      known,
      policies: this.#options.policiesNow(),
      hiddenBy: null,
      paid,
      took: '',
      args: what.args,
      said: what.answer?.value,
      subject: null,
      decision: ALLOWED,
      names: what.answer?.names ?? null,
      recorded: null,
      passed: null,
      recording: null,
      isOpen: false,
      task: null,
    }
    try {
      return this.#walk(underway, 0)
    } catch (error) {
      return this.#failed(error, underway)
    }
  }

  /** As `judge`, for who cannot wait for the end of this turn alone. */
  judgeNow(what: Judgeable, caller: Caller, paid: Paid | null = null): JudgedNow {
    return promised(this.judge(what, caller, paid))
  }

  /** Calls that come from now on may be written down together, by `flush`, and wait for it. */
  gather(): void {
    this.#record?.gather()
  }

  flush(): void {
    this.#record?.flush()
  }

  /** Does something behind the calls that came before it, where those wait to be written down. */
  inOrder(work: () => void): void {
    if (this.#record === null) work()
    else this.#record.inOrder(work)
  }

  /** Whether nothing of the caller goes on now, not even what nobody judges. */
  isFrozen(caller: Caller): boolean | Promise<boolean> {
    return this.#record?.isFrozen(caller) ?? this.#opened().then((one) => one.isFrozen(caller))
  }

  /** Whether a caller may ask for a task now, and hear what is said of it. */
  async mayFollow(caller: Caller, task: Readonly<Record<string, unknown>>): Promise<boolean> {
    const { taskId } = task
    const { policiesNow, isShadow } = this.#options
    const policies = policiesNow()
    if (policies.length === 0) return isShadow
    const made = await this.tasks.madeBy(this.roundOf(caller), taskId)
    const subject = { ...askerOf(caller), method: 'tasks/get', params: { taskId } }
    const judged = decideTask(policies, subject, made, this.tools)
    return 'decision' in judged && (judged.judgeResult?.(task) ?? null) === null
  }

  /** Records that an answer was not shown. */
  async withheld(
    caller: Caller,
    what: Pick<AuditedCall, 'name' | 'isMethod' | 'tool'>,
    rule: string,
  ): Promise<void> {
    const { server, policiesNow } = this.#options
    const revision = revisionOf(policiesNow())
    const call = { ...what, caller, server, keys: [], revision, took: '' }
    const known = await this.#options.inspection.known(caller)
    await (await this.#opened()).refuse({ ...withoutKnown(call, known), rule })
  }

  #walk(underway: Underway, from: number): Judging {
    let begun = monotonicMs()
    for (let at = from; at < this.#steps.length; at += 1) {
      const [name, take] = this.#steps[at] as Step
      const denial = take(underway)
      if (denial instanceof Promise) return this.#later(underway, denial, at, begun)
      if (denial instanceof Soon) return this.#soon(underway, denial, at, begun)
      const ended = monotonicMs()
      underway.took += tookText(underway.took, name, ended - begun)
      begun = ended
      if (denial !== null) return this.#denied(underway, denial)
    }
    return this.#goingOn(underway)
  }

  async #later(
    underway: Underway,
    taking: Promise<Denial | null>,
    at: number,
    begun: number,
  ): Promise<CallJudged> {
    try {
      const judged = this.#taken(underway, await taking, at, begun)
      return await (judged instanceof Soon ? judged.promise() : judged)
    } catch (error) {
      return this.#failed(error, underway)
    }
  }

  #soon(underway: Underway, taking: Soon<Taken>, at: number, begun: number): Soon<JudgedNow> {
    return taking.map(
      (denial) => {
        if (denial instanceof Promise) return this.#later(underway, denial, at, begun)
        return promised(this.#taken(underway, denial, at, begun))
      },
      (error) => this.#failed(error, underway),
    )
  }

  #taken(underway: Underway, denial: Denial | null, at: number, begun: number): Judging {
    underway.took += tookText(underway.took, this.#steps[at]?.[0] ?? '', monotonicMs() - begun)
    return denial === null ? this.#walk(underway, at + 1) : this.#denied(underway, denial)
  }

  #denied(underway: Underway, denial: Denial): JudgedNow {
    this.#leave(underway)
    if (denial.isRecorded) return { denial }
    const refuse = (record: CallRecord): JudgedNow => {
      const refused = record.refuse({ ...this.#recorded(underway), rule: denial.rule })
      return refused instanceof Promise ? refused.then(() => ({ denial })) : { denial }
    }
    const write = (): JudgedNow =>
      this.#record === null ? this.#opened().then(refuse) : refuse(this.#record)
    const { caller, what, args } = underway
    const named = underway.names ?? Object.keys(args)
    const names = this.#options.inspection.shownNames(caller, what.name, named)
    if (!(names instanceof Promise)) return write()
    return names.then((shown) => {
      underway.names = shown
      return write()
    })
  }

  #decide(underway: Underway): Denial | null | Promise<Denial | null> {
    const { policies, what, hiddenBy } = underway
    if (what.isMethod && !what.isFromServer && isMistakable(what.message.kind, what.name))
      return MISTAKABLE
    if (policies.length === 0)
      return this.#options.isShadow || (what.isMethod && OPEN_METHODS.has(what.name))
        ? null
        : deniedByPolicy('(no policy)', 'There is no policy for this server.')
    const asker = askerOf(underway.caller)
    if (what.isMethod && isAboutTask(what.name))
      return this.#decideOfTask(underway, {
        ...asker,
        method: what.name,
        params: underway.args,
      })
    const subject: Subject = what.isMethod
      ? { ...asker, method: what.name, params: underway.args }
      : {
          ...asker,
          tool: what.name,
          args: underway.args,
          annotations: hiddenBy === null ? this.tools.annotationsOf(what.name) : null,
          toolClass: null,
        }
    const isChange = what.isFromServer && what.name === 'notifications/resources/updated'
    const unheard = isChange ? deniesChange(policies, asker, underway.args) : null
    const decision = unheard ?? decideByAll(policies, subject)
    if (decision.allowed) {
      underway.subject = subject
      underway.decision = decision
      return null
    }
    this.#note(underway, subject, decision.isHidden ? 'hidden' : 'denied', decision.rule)
    if (decision.isHidden && !what.isMethod) {
      // Whatever is said of a tool that is not there is said of this one, and in the same order.
      underway.hiddenBy = decision.rule
      underway.policies = withoutNamesOfAll(policies)
      return this.#decide(underway)
    }
    const denial = deniedByPolicy(decision.rule, decision.reason)
    if (decision.isHidden) return { ...denial, kind: 'unknown-tool' }
    return hiddenBy === null ? denial : { ...denial, rule: hiddenBy }
  }

  async #decideOfTask(underway: Underway, subject: MethodSubject): Promise<Denial | null> {
    const { what, policies, caller } = underway
    const made = await this.tasks.madeBy(this.roundOf(caller), subject.params['taskId'])
    const judged = decideTask(policies, subject, made, this.tools, (rule) =>
      this.#lifted(underway, rule),
    )
    if ('rule' in judged) return judged
    underway.decision = judged.decision
    underway.task = {
      tool: made.kind === 'call' ? made.call.tool : null,
      judgeResult: judged.judgeResult,
    }
    // What a server tells of a task may be its result.
    return what.isFromServer ? (judged.judgeResult?.(subject.params) ?? null) : null
  }

  /** The answer does not wait for what is only told of it. */
  #lifted(underway: Underway, rule: string): void {
    const recorded = { ...this.#recorded(underway), rule }
    const { server, log } = this.#options
    this.#opened()
      .then((record) => record.lifted(recorded))
      .catch((error: unknown) => {
        const { code } = asFault(error)
        log?.error('what a rule in shadow says could not be recorded', { server, rule, code })
      })
  }

  #inspect(underway: Underway): Denial | null | Promise<Denial | null> {
    const { what, caller } = underway
    const { answer, isFromServer } = what
    if (isFromServer && answer === undefined) return null
    const name = answer === undefined ? (underway.task?.tool ?? what.name) : 'answer'
    const isKnown = !what.isMethod && underway.hiddenBy === null
    const schema = isKnown ? this.tools.schemaOf(name) : undefined
    const inspected = this.#options.inspection.input(
      caller,
      name,
      answer === undefined ? underway.args : answer.value,
      schema,
      answer?.message ?? what.message,
    )
    return inspected instanceof Promise
      ? inspected.then((found) => this.#inspected(underway, found))
      : this.#inspected(underway, inspected)
  }

  #inspected(
    underway: Underway,
    inspected: Awaited<ReturnType<MessageInspection['input']>>,
  ): Denial | null | Promise<Denial | null> {
    if (inspected.names !== undefined) underway.names = inspected.names
    if ('refusal' in inspected)
      return {
        rule: 'INSPECTION_REFUSED',
        kind: 'denied',
        text: inspected.refusal,
        isRecorded: false,
      }
    if (underway.what.answer !== undefined) {
      underway.said = inspected.value
      return null
    }
    if (inspected.value === underway.args) return null
    underway.args = inspected.value as Judgeable['args']
    // What goes on is what has to be allowed.
    return this.#decide(underway)
  }

  /** Its place is taken before anything is waited for: calls that come together are judged side by side. */
  #bear(underway: Underway): Denial | null {
    if (underway.what.isFromServer || underway.what.isPart === true) return null
    const refusal = this.health.refusal()
    if (refusal !== null) return refusal
    this.health.began()
    underway.isOpen = true
    return null
  }

  #leave(underway: Underway): void {
    if (!underway.isOpen) return
    underway.isOpen = false
    this.health.ended('never-sent')
  }

  #count(underway: Underway): Taken | Soon<Taken> {
    if (underway.paid?.once !== undefined) return this.#countAgain(underway, underway.paid)
    return this.#record === null
      ? this.#opened().then((record) => promised(this.#countIn(record, underway)))
      : this.#countIn(this.#record, underway)
  }

  async #countAgain(underway: Underway, paid: Paid): Promise<Denial | null> {
    if (!(await this.rounds.spend(paid))) underway.paid = null
    return promised(this.#countIn(this.#record ?? (await this.#opened()), underway))
  }

  #countIn(record: CallRecord, underway: Underway): Taken | Soon<Taken> {
    const { server } = this.#options
    const { rule, charges, needsApproval, isDurable, shadow } = underway.decision
    const { paid } = underway
    const asked =
      needsApproval === null || (paid !== null && paid.isOther !== true)
        ? null
        : this.#asked(underway, needsApproval)
    underway.recorded = this.#recorded(underway)
    const passed = record.pass({
      call: underway.recorded,
      rule,
      hiddenBy: underway.hiddenBy,
      isDurable,
      shadow,
      // What a server says, the client hears in its order.
      mayWait: !underway.what.isFromServer,
      act: asked === null ? null : { act: actOf(asked), rule: asked.rule.rule },
      charges:
        paid === null
          ? charges.map((charge) =>
              limitCharge(charge, server, this.#scopeId(charge.limit.scope, underway.caller)),
            )
          : [],
    })
    const going = (found: Passed | Promise<Passed>): Taken =>
      found instanceof Promise
        ? found.then((one) => this.#passed(record, underway, asked, one))
        : this.#passed(record, underway, asked, found)
    return passed instanceof Soon ? passed.map(going) : going(passed)
  }

  #passed(
    record: CallRecord,
    underway: Underway,
    asked: AskedCall | null,
    passed: Passed,
  ): Denial | null | Promise<Denial> {
    const { subject } = underway
    if ('exceeded' in passed) {
      const { charge } = passed.exceeded
      this.#note(underway, subject, 'limited', charge.limit.pointer, charge)
      return deniedByLimit(passed.exceeded)
    }
    if ('taken' in passed) {
      const { paid } = underway
      underway.passed = paid === null ? passed : { ...passed, taken: paid.taken, isPaid: true }
      underway.recording = this.#note(underway, subject, 'allowed', null)
      return null
    }
    if (asked === null) throw new TypeError('what nobody had to allow was not allowed')
    this.#note(underway, subject, 'approval', asked.rule.rule)
    return this.#ask(record, underway.caller, asked)
  }

  async #ask(record: CallRecord, caller: Caller, asked: AskedCall): Promise<Denial> {
    try {
      const { what } = asked
      const schema = what.isMethod ? undefined : this.tools.schemaOf(what.name)
      const { inspection } = this.#options
      const shown = await inspection.shown(caller, what.name, toShow(asked, caller), schema)
      const by = caller.client === undefined ? caller : { ...caller, client: shown.client }
      return await record.ask(by, approvalOf(asked, shown))
    } catch (error) {
      return approvalDenial(error, asked.rule)
    }
  }

  #asked({ what, args, policies }: Underway, rule: NeedsApproval): AskedCall {
    const { server, grant = null } = this.#options
    return { server, grant, what, args, revision: revisionOf(policies) ?? '', rule }
  }

  /** Nothing is made of a call that no policy has recorded. */
  #note(
    underway: Underway,
    subject: Subject | null,
    verdict: RecordedVerdict,
    rule: string | null,
    exceeded: LimitCharge | null = null,
  ): QueuedCall | null {
    const { recorder, server, session, grant = null } = this.#options
    const { what, caller, policies, decision, paid, passed } = underway
    // What is hidden was noted as that.
    if (underway.hiddenBy !== null) return null
    if (recorder === undefined || subject === null || !isRecording(policies)) return null
    if (what.message.kind !== 'request' || what.answer !== undefined) return null
    const isCounted = paid === null && verdict !== 'denied' && verdict !== 'hidden'
    const charges = isCounted
      ? decision.charges.map((one) =>
          limitCharge(one, server, this.#scopeId(one.limit.scope, caller)),
        )
      : []
    return recorder.judged({
      caller,
      server,
      name: what.name,
      subject,
      args: what.args,
      policies,
      session,
      grant,
      verdict,
      rule,
      isApproved: passed?.approval !== undefined,
      isPaid: paid !== null,
      charges,
      exceeded,
      readsAnswer:
        decision.judgesResult || charges.some(({ limit }) => limit.cost.kind === 'result'),
      weight: what.message.text.length,
    })
  }

  /** On one machine the grant of a server is the agent of that machine. */
  #scopeId(scope: LimitScope, { principal }: Caller): string {
    const { session, grant } = this.#options
    if (scope === 'session') return session
    if (scope === 'grant' && grant !== undefined) return `grant:${grant}`
    return scope === 'grant' || scope === 'agent' ? `${principal.kind}:${principal.id}` : ''
  }

  #failed(error: unknown, underway: Underway): { readonly denial: Denial } {
    this.#leave(underway)
    return this.#unjudged(error, underway.caller)
  }

  #unjudged(error: unknown, { principal }: Caller): { readonly denial: Denial } {
    const fault = asFault(error)
    const { server, log } = this.#options
    if (isOurs(fault))
      log?.error('a call could not be judged', { server, code: fault.code, reason: fault.message })
    const { message, cure } = toldTo(fault, principal)
    const text = `${message}\n${cure}`
    return { denial: { rule: fault.code, kind: 'denied', text, isRecorded: true } }
  }

  #recorded({ what, caller, known, args, names, policies, took }: Underway): AuditedCall {
    const { name, isMethod, params, answer } = what
    const call: AuditedCall = {
      caller,
      server: this.#options.server,
      name,
      isMethod,
      isAnswer: answer !== undefined,
      keys: names ?? Object.keys(args),
      revision: revisionOf(policies),
      took,
      trace: traceIdIn(params),
    }
    return withoutKnown(call, known)
  }

  async #opened(): Promise<CallRecord> {
    this.#record = await this.#options.record()
    return this.#record
  }

  #goingOn(underway: Underway): CallJudged {
    const { what, policies, subject, decision, hiddenBy } = underway
    return {
      text: textOf(underway),
      isHidden: hiddenBy !== null,
      paid: {
        taken: underway.passed?.taken ?? [],
        isOther: underway.passed?.approval === undefined,
      },
      tool: underway.task?.tool ?? null,
      judgeResult:
        decision.judgesResult && subject !== null
          ? (answer) => {
              for (const result of judgedOf(answer)) {
                const { denied, shadow } = decideResultByAll(policies, subject, result)
                if (shadow !== null) this.#lifted(underway, shadow)
                if (denied !== null) return deniedByPolicy(denied.rule, denied.reason)
              }
              return null
            }
          : (underway.task?.judgeResult ?? null),
      settle: (end, result) => {
        if (underway.isOpen) this.health.ended(end)
        const { passed, recording, recorded } = underway
        if (recording !== null) this.#options.recorder?.ended(recording, end, result)
        const record = this.#record
        if (passed === null || recorded === null || record === null) return undefined
        return record.settle(
          recorded,
          passed,
          end,
          result === undefined || what.isFromServer || end === 'refused-by-server'
            ? null
            : this.#actual(underway, result),
        )
      },
    }
  }

  /** What limits with a cost in the answer are to count, by counter; null when all stays as it was reserved. */
  #actual({ decision, caller }: Underway, result: unknown): ReadonlyMap<string, number> | null {
    const { server, log } = this.#options
    return settledCounts(
      decision.charges,
      result,
      (limit) => counterOf(server, this.#scopeId(limit.scope, caller), limit),
      (problem, limit) => log?.warn(problem, { server, rule: limit.pointer }),
    )
  }
}
