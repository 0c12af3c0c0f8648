import * as z from 'zod'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import { systemClock } from '../core/time.ts'
import type { InspectionNote } from '../core/vault-port.ts'
import type { Engine, Finding, InspectSettings, Verdict } from '../inspect/index.ts'
import type { ToolAnswer, ToolDefinition, VisitRequest } from '../mcp/index.ts'
import { callerOf, type SecretSession } from './context.ts'
import type { CallInspection, KnownValues, NoteInspection } from './inspection.ts'
import type { Seen } from './seen.ts'

/** Values are their business: a known one in their arguments is no exfiltration. */
const TAKE_VALUES: ReadonlySet<string> = new Set([
  'get_secret',
  'get_env_bundle',
  'put_secret',
  'set_secret',
  'rotate_and_store',
])
/** The name under which settings find this server. */
const SERVER = 'sallyport'
/** What they are asked for is the value. */
const ANSWER_VALUES: ReadonlySet<string> = new Set(['get_secret', 'get_env_bundle'])

export interface PipelineOptions {
  readonly inspection: CallInspection
  readonly log: Log
  readonly note: NoteInspection
}

/** What runs before and after every tool. */
export interface Pipeline {
  /** The tool behind inspection: its arguments before, its answer after. */
  guard(tool: ToolDefinition<SecretSession>): ToolDefinition<SecretSession>
  /**
   * An answer that no guarded tool gave: the text of an error, a resource. Recorded and redacted, never refused.
   *
   * @param caller - null when it is not known who calls: then it is only logged
   */
  afterwards(
    name: string,
    answer: ToolAnswer,
    caller: () => Promise<Caller | null>,
    schema?: unknown,
  ): Promise<ToolAnswer>
  /** What `inspect_content` says of a text, also where calls are not inspected: it was asked for. */
  examine(text: string, caller: Caller, context: 'input' | 'output'): Promise<Examination>
  readonly detectsPii: boolean
  /** Loads and builds the engine, so that the first call does not wait for it. */
  warmUp(): void
}

/** A text as the detectors see it, and as it may be shown. */
export interface Examination {
  readonly verdict: Verdict
  /** Findings of enough confidence to count. */
  readonly counted: readonly Finding[]
  readonly known: readonly Seen[]
  /** Null when nothing had to be taken out. */
  readonly redacted: string | null
}

interface Loaded extends Looking {
  /** The built-in one. */
  readonly engine: Engine
}

type Looking = typeof import('./looking.ts')

export function createPipeline({ inspection, log, note }: PipelineOptions): Pipeline {
  const { switches } = inspection
  let loaded: Promise<Loaded> | undefined
  let isReportTold = false

  // Listing tools and the handshake do not wait for a few hundred patterns.
  const load = (): Promise<Loaded> => {
    loaded ??= loadEngine()
    return loaded
  }

  /** What holds for a call. Where nobody is known, and where nothing may go wrong, it is what is built in. */
  async function rulesFor(
    { engine: builtIn, mergeSettings }: Loaded,
    caller: Caller | null,
    tool: string,
  ): Promise<{ readonly engine: Engine; readonly settings: InspectSettings }> {
    const rules = caller === null ? null : await inspection.rulesFor(caller, SERVER, tool)
    const engine = rules?.engine ?? builtIn
    const off = switches.detectsPii ? [] : personalIn(engine)
    return {
      engine,
      settings: mergeSettings([{ mode: switches.mode, off }, ...(rules?.layers ?? [])]),
    }
  }

  const knownValues = async (caller: Caller): Promise<KnownValues | null> =>
    (await inspection.knownValuesOf?.(caller)) ?? null

  /** An error that says why the vault can't be opened comes through, though then nobody knows what is in it. */
  async function knownOrFail(caller: Caller, answer: ToolAnswer): Promise<KnownValues | null> {
    try {
      return await knownValues(caller)
    } catch (error) {
      if (answer.isError === true) return null
      throw error
    }
  }

  /** Known values in arguments: nothing where nobody asks for them. */
  async function exfiltrated(value: unknown, caller: Caller): Promise<readonly Seen[]> {
    const known = switches.exfiltration === 'off' ? null : await knownValues(caller)
    return known === null ? [] : (await load()).known.knownIn(value, known)
  }

  async function report(
    caller: Caller | null,
    given: Omit<InspectionNote, 'findings'>,
    seen: readonly Seen[],
    mayFail: boolean,
  ): Promise<void> {
    const findings = (await load()).seen.linesOf(seen)
    const { tool, direction, decision, mode, verdict, blocking } = given
    log.warn('inspection', {
      tool,
      direction,
      decision,
      mode,
      verdict,
      blocking: blocking.join(', '),
      count: seen.length,
      findings: findings.join(', '),
    })
    if (caller === null) return
    if (!isReportTold && blocking.length > 0) {
      isReportTold = true
      log.info('all that inspection refused or would have: sallyport inspection report')
    }
    try {
      await note(caller, { ...given, findings })
    } catch (error) {
      if (!mayFail) throw error
      log.error('inspection is not in the audit', { tool, direction, decision })
    }
  }

  async function before(
    tool: ToolDefinition<SecretSession>,
    schema: () => unknown,
    args: unknown,
    caller: Caller,
    isFirst: boolean,
  ): Promise<{ readonly args: unknown } | { readonly refusal: ToolAnswer }> {
    const parts = await load()
    const { seen: telling, refusal } = parts
    const { engine, settings } = await rulesFor(parts, caller, tool.name)
    const now = systemClock()
    const judged = parts.judge(engine, args, { schema: schema() }, settings, now)
    const known = TAKE_VALUES.has(tool.name) ? [] : await exfiltrated(args, caller)
    // Names and ids that grew shorter by cleaning may be none any more.
    const checked = judged.cleaned === undefined ? null : tool.input.safeParse(judged.cleaned)
    const blocking = [
      ...(judged.isBlocked || checked?.success === false
        ? (judged.blocking.length > 0 ? judged.blocking : judged.findings).map(telling.seenOf)
        : []),
      ...(switches.exfiltration === 'block' ? known : []),
    ]
    const seen = [...telling.countedOf(judged.findings), ...known]
    const isRefused = blocking.length > 0
    const isChanged = !isRefused && checked?.success === true
    if (isFirst && (seen.length > 0 || isChanged))
      await report(
        caller,
        {
          tool: tool.name,
          direction: 'input',
          decision: isRefused ? 'refused' : isChanged ? 'changed' : 'passed',
          mode: settings.mode,
          verdict: telling.verdictWith(judged.verdict, known),
          blocking: idsOf([
            ...judged.findings.filter((one) => parts.isBlocking(one, settings, now)),
            ...known,
          ]),
          allowed: idsOf(judged.allowed.map(({ finding }) => finding)),
        },
        seen.length > 0 ? seen : judged.findings.map(telling.seenOf),
        // Refused it is either way.
        isRefused,
      )
    if (isRefused)
      return { refusal: refusal.refusalOf(tool.name, blocking, inspection.allowListFile) }
    return { args: isChanged ? checked.data : args }
  }

  const pipeline: Pipeline = {
    detectsPii: switches.detectsPii,

    guard(tool) {
      if (!switches.isEnabled) return tool
      const inputSchema = once(() => z.toJSONSchema(tool.input, { io: 'input' }))
      const outputSchema = once(() => z.toJSONSchema(tool.output, { io: 'output' }))
      return {
        ...tool,
        async run(args, mcp) {
          const caller = callerOf(mcp.session, mcp.client)
          const checked = await before(tool, inputSchema, args, caller, mcp.visit === null)
          if ('refusal' in checked) return checked.refusal
          const answer = await tool.run(checked.args, mcp)
          if (isVisit(answer)) return answer
          return pipeline.afterwards(tool.name, answer, async () => caller, outputSchema())
        },
      }
    },

    async afterwards(name, answer, callerNow, schema) {
      if (!switches.isEnabled) return answer
      const parts = await load()
      const caller = await callerNow()
      const isValueAsked = ANSWER_VALUES.has(name) && answer.isError !== true
      const known =
        switches.redactsSecrets && !isValueAsked && caller !== null
          ? await knownOrFail(caller, answer)
          : null
      const shown = known === null ? answer : parts.known.redactedAnswer(answer, known)
      // An error must come through whatever the rules say, or that they can't be read.
      const { engine, settings } = await rulesFor(
        parts,
        answer.isError === true ? null : caller,
        name,
      )
      const { findings, verdict, blocking, allowed } = parts.judge(
        engine,
        shown.structured,
        { schema },
        { ...settings, mode: 'log_only' },
        systemClock(),
      )
      const seen = parts.seen.countedOf(findings)
      if (seen.length > 0)
        await report(
          caller,
          {
            tool: name,
            direction: 'output',
            decision: 'passed',
            mode: settings.mode,
            verdict,
            blocking: idsOf(blocking),
            allowed: idsOf(allowed.map(({ finding }) => finding)),
          },
          seen,
          // An error releases nothing, and may be the very one that says why nothing can be recorded.
          answer.isError === true,
        )
      return shown
    },

    async examine(text, caller, context) {
      const parts = await load()
      const { engine, settings } = await rulesFor(parts, caller, 'inspect_content')
      const judgement = parts.judge(
        engine,
        text,
        {},
        { ...settings, mode: 'log_only' },
        systemClock(),
      )
      const known = context === 'input' ? await exfiltrated({ content: text }, caller) : []
      const values = switches.redactsSecrets ? await knownValues(caller) : null
      const redacted = values === null ? text : values.redact(text)
      const verdict = parts.seen.verdictWith(judgement.verdict, known)
      const counted = judgement.findings.filter(parts.isCounted)
      log.info('content inspected', { verdict, count: counted.length + known.length })
      return { verdict, counted, known, redacted: redacted === text ? null : redacted }
    },

    warmUp() {
      // A failure is that of the first call.
      if (switches.isEnabled) load().catch(() => {})
    },
  }
  return pipeline
}

async function loadEngine(): Promise<Loaded> {
  const looking = await import('./looking.ts')
  return { ...looking, engine: looking.builtInEngine() }
}

/** Ids of the detectors of personal data. */
function personalIn(engine: Engine): readonly string[] {
  return engine.detectors.filter((one) => one.category === 'pii').map((one) => one.id)
}

function idsOf(findings: readonly Pick<Finding, 'detector'>[]): readonly string[] {
  return [...new Set(findings.map(({ detector }) => detector))].toSorted()
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

function isVisit(answer: ToolAnswer | VisitRequest): answer is VisitRequest {
  return 'visit' in answer
}
