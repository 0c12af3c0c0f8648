import type { InspectionSwitches } from '../core/config.ts'
import { ExactNumber } from '../core/decimal.ts'
import { Fault } from '../core/faults.ts'
import { holdsHeld, mayHold } from '../core/held-values.ts'
import {
  AcrossHeldTexts,
  type Beside,
  type KnownPlace,
  type KnownTexts,
  knownIn as placesIn,
  redactedIn as withoutKnown,
} from '../core/known-texts.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import { monotonicMs, systemClock } from '../core/time.ts'
import type { InspectionNote } from '../core/vault-port.ts'
import type { Engine, Finding, InspectSettings } from '../inspect/index.ts'
import type { Message } from '../mcp/wire/index.ts'
import { besideJudged, MessageSearch } from './message-search.ts'
import { shownName } from './tool-call.ts'

/** The values that one principal was given or entered. */
export type KnownValues = KnownTexts

/** How calls are inspected, as the secrets server has it too. */
export interface CallInspection {
  readonly switches: InspectionSwitches
  /** @throws {Fault} `BAD_INPUT` when the rules cannot be understood: then nothing passes */
  rulesFor(caller: Caller, server: string, tool: string): CallRules | Promise<CallRules>
  readonly allowListFile: string | null
  knownValuesOf?(caller: Caller): KnownValues | Promise<KnownValues>
}

/** What holds beyond the switches. */
export interface CallRules {
  readonly layers: readonly Partial<InspectSettings>[]
  readonly engine: Engine | null
}

export interface MessageInspectionOptions {
  readonly inspection: CallInspection
  readonly server: string
  readonly log: Log
  /** @throws when it cannot be written down: then the message does not pass */
  readonly note: (caller: Caller, note: InspectionNote) => Promise<void>
}

export type InspectedInput = ({ readonly value: unknown } | { readonly refusal: string }) & {
  /** Of the value's members, as they may be written down; absent: as they are. */
  readonly names?: readonly string[]
}

/** An agent chooses what it calls, and the person pastes the line. */
const PASTABLE = /^\w[\w.-]{0,99}$/
const KNOWN_VALUE = 'known-value'
/** So soon a rule that was changed holds: the file is not looked at for every message of a quick agent. */
const KEPT_MS = 50
const MAX_KEPT = 100
const MAX_TOLD = 50
/** What is shorter is no secret to any detector when it stands alone. */
const LEAST_SECRET = 12
const MAX_SHOWN = 20

/** What is seen in one place: `remote-shell critical command 10-42`. */
export interface Seen {
  readonly detector: string
  readonly line: string
}

type Parts = typeof import('../inspect/index.ts')

/** Everything that one message is judged by. */
export interface Means extends Merged {
  readonly parts: Parts
  readonly known: KnownValues | null
}

/** What was asked for lately for one caller, by tool. */
interface Lately {
  readonly caller: Caller
  readonly byTool: Map<string, CallRules>
  /** Monotonic milliseconds. */
  readonly since: number
}

/** Settings are merged once for the rules that they come from. */
interface Merged {
  readonly engine: Engine
  readonly settings: InspectSettings
  /** For outputs, of which nothing is refused. */
  readonly recording: InspectSettings
}

interface Remembered extends Merged {
  /** With what was last known. */
  means: Means | null
}

/** Looks at what agents send to a server and at what it sends back. */
export class MessageInspection {
  readonly #options: MessageInspectionOptions
  #loading: Promise<Parts> | undefined
  #parts: Parts | null = null
  readonly #merged = new WeakMap<CallRules, Remembered>()
  #lately: Lately | null = null
  /** Searches what is not inspected. */
  readonly search: MessageSearch

  constructor(options: MessageInspectionOptions) {
    this.#options = options
    this.search = new MessageSearch({
      switches: options.inspection.switches,
      known: (caller) => this.known(caller),
      seenIn: async (caller, tool, value, known, beside) => {
        const all = [value, beside]
        if (!mayHold() || !holdsHeld(all)) return knownIn(value, known, beside)
        const means = await large(this.#means(caller, tool, true), all, undefined, 'recording')
        return knownIn(value, means.known, beside)
      },
      report: async (caller, seen, note) => {
        const { settings } = await this.#means(caller, note.tool, true)
        await this.#report(caller, {
          ...note,
          mode: settings.mode,
          verdict: 'malicious',
          findings: linesOf(seen),
          blocking: idsOf(seen),
          allowed: [],
        })
      },
      refusalText: (tool, seen) => this.#refusalText(tool, seen),
      knownIn,
    })
  }

  /** Loads and builds the engine, so that the first call does not wait for it. */
  warmUp(): void {
    // A failure is that of the first message.
    if (this.#options.inspection.switches.isEnabled)
      this.#load().then(
        ({ builtInEngine }) => builtInEngine(),
        () => {},
      )
  }

  /**
   * @param schema of the value, which tells what kind its texts are
   * @param message in which the value stands; all else of it is searched for known values
   * @returns the value that goes on, the same one when nothing was taken out; or why nothing does. At once where there
   *   is nothing to wait for.
   */
  input(
    caller: Caller,
    tool: string,
    value: unknown,
    schema?: unknown,
    message: Message | null = null,
  ): InspectedInput | Promise<InspectedInput> {
    const { switches } = this.#options.inspection
    if (!switches.isEnabled) return { value }
    const means = this.#means(caller, tool, switches.exfiltration !== 'off')
    if (mayHold() && holdsHeld(value))
      return large(means, value, schema, 'settings').then((one) =>
        this.#input(one, caller, tool, value, schema, message),
      )
    return means instanceof Promise
      ? means.then((one) => this.#input(one, caller, tool, value, schema, message))
      : this.#input(means, caller, tool, value, schema, message)
  }

  #input(
    means: Means,
    caller: Caller,
    tool: string,
    value: unknown,
    schema: unknown,
    message: Message | null,
  ): InspectedInput | Promise<InspectedInput> {
    if (message === null || means.known === null || means.known.reach() === 0)
      return this.#judgeInput(means, caller, tool, value, schema)
    const beside = besideJudged(message)
    if (!mayHold() || !holdsHeld(beside))
      return this.#judgeInput(means, caller, tool, value, schema, beside)
    return large(means, beside, undefined, 'settings').then(({ known }) =>
      this.#judgeInput({ ...means, known }, caller, tool, value, schema, beside),
    )
  }

  /**
   * @returns the value with known values taken out, the same one when there were none. Nothing is refused. At once where
   *   there is nothing to wait for.
   */
  output(caller: Caller, tool: string, value: unknown): unknown {
    const { switches } = this.#options.inspection
    if (!switches.isEnabled) return value
    const means = this.#means(caller, tool, switches.redactsSecrets)
    if (mayHold() && holdsHeld(value))
      return large(means, value, undefined, 'recording').then((one) =>
        this.#judgeOutput(one, caller, tool, value),
      )
    return means instanceof Promise
      ? means.then((one) => this.#judgeOutput(one, caller, tool, value))
      : this.#judgeOutput(means, caller, tool, value)
  }

  /** Values that a principal knows, whatever is switched on; null where nobody keeps them. */
  known(caller: Caller): KnownValues | null | Promise<KnownValues> {
    return this.#options.inspection.knownValuesOf?.(caller) ?? null
  }

  /**
   * What people may read of what an agent said: without the values that the agent knows, and without the secrets that
   * detectors see, whatever becomes of those in the mode of the moment.
   *
   * @param schema of the arguments
   */
  async shown<T extends { readonly args: Readonly<Record<string, unknown>> }>(
    caller: Caller,
    tool: string,
    said: T,
    schema?: unknown,
  ): Promise<T> {
    const known = await this.known(caller)
    const unknown =
      known === null || known.reach() === 0 ? said : (withoutKnown({ ...said }, known) as T)
    if (!this.#options.inspection.switches.isEnabled) return unknown
    const { parts, engine, settings } = await this.#means(caller, tool, false)
    const { args, ...others } = unknown
    return {
      ...parts.withoutSecrets(engine, others, {}, settings.off),
      args: parts.withoutSecrets(engine, args, { schema }, settings.off),
    } as T
  }

  /** Names of arguments that nobody inspected, as they may be written down; at once where none can hold a secret. */
  shownNames(
    caller: Caller,
    tool: string,
    names: readonly string[],
  ): readonly string[] | Promise<readonly string[]> {
    if (!this.#options.inspection.switches.isEnabled) return names
    if (names.every((name) => name.length < LEAST_SECRET)) return names
    return Promise.resolve(this.#means(caller, tool, false)).then(({ parts, engine, settings }) =>
      namesWithout(names, (named) => parts.withoutSecrets(engine, named, {}, settings.off)),
    )
  }

  /** Takes the values that a principal knows out of texts that others read. */
  async redactor(caller: Caller): Promise<(text: string) => string> {
    const known = await this.known(caller)
    return known === null ? (text) => text : (text) => known.redact(text)
  }

  #judgeInput(
    { parts, engine, settings, known: values }: Means,
    caller: Caller,
    tool: string,
    value: unknown,
    schema: unknown,
    beside?: Beside,
  ): InspectedInput | Promise<InspectedInput> {
    const { switches } = this.#options.inspection
    const now = systemClock()
    const judged = parts.judge(engine, value, { schema }, settings, now)
    const known = knownIn(value, values, beside)
    if (judged.findings.length === 0 && known.length === 0) return { value }
    const isChanged = judged.cleaned !== undefined
    const seenOf = seenAmong(judged.findings)
    const blocking = [
      ...(judged.isBlocked || (isChanged && holdsExactNumber(value))
        ? (judged.blocking.length > 0 ? judged.blocking : judged.findings).map(seenOf)
        : []),
      ...(switches.exfiltration === 'block' ? known : []),
    ]
    const isRefused = blocking.length > 0
    const seen = [...judged.findings.filter(parts.isCounted).map(seenOf), ...known]
    const names = shownNames(judged.findings, value, (named) =>
      parts.withoutSecrets(engine, named, {}, settings.off),
    )
    const inspected = {
      ...(isRefused
        ? { refusal: this.#refusalText(tool, blocking) }
        : { value: isChanged ? judged.cleaned : value }),
      ...(names !== null && { names }),
    }
    if (seen.length === 0 && !isRefused && !isChanged) return inspected
    return this.#report(caller, {
      tool,
      direction: 'input',
      decision: isRefused ? 'refused' : isChanged ? 'changed' : 'passed',
      mode: settings.mode,
      verdict: known.length > 0 ? 'malicious' : judged.verdict,
      findings: linesOf(seen),
      blocking: idsOf([
        ...judged.findings.filter((one) => parts.isBlocking(one, settings, now)),
        ...known,
      ]),
      allowed: idsOf(judged.allowed.map(({ finding }) => finding)),
    }).then(() => inspected)
  }

  #judgeOutput(
    { parts, engine, settings, recording, known }: Means,
    caller: Caller,
    tool: string,
    value: unknown,
  ): unknown {
    const shown = known === null || known.reach() === 0 ? value : redactedIn(value, known)
    const judged = parts.judge(engine, shown, {}, recording, systemClock())
    const isRedacted = shown !== value
    if (judged.findings.length === 0 && !isRedacted) return shown
    const seen = judged.findings.filter(parts.isCounted).map(seenAmong(judged.findings))
    if (isRedacted)
      seen.unshift({ detector: KNOWN_VALUE, line: `${KNOWN_VALUE} critical redacted` })
    if (seen.length === 0) return shown
    return this.#report(caller, {
      tool,
      direction: 'output',
      decision: isRedacted ? 'changed' : 'passed',
      mode: settings.mode,
      verdict: judged.verdict,
      findings: linesOf(seen),
      blocking: idsOf(judged.blocking),
      allowed: idsOf(judged.allowed.map(({ finding }) => finding)),
    }).then(() => shown)
  }

  #load(): Promise<Parts> {
    this.#loading ??= import('../inspect/index.ts').then((parts) => {
      this.#parts = parts
      return parts
    })
    return this.#loading
  }

  #means(caller: Caller, tool: string, needsKnown: boolean): Means | Promise<Means> {
    const { inspection } = this.#options
    const parts = this.#parts ?? this.#load()
    const rules = this.#rules(caller, tool)
    const known = (needsKnown ? inspection.knownValuesOf?.(caller) : null) ?? null
    if (parts instanceof Promise || rules instanceof Promise || known instanceof Promise)
      return Promise.all([parts, rules, known]).then((all) => this.#meansOf(...all))
    return this.#meansOf(parts, rules, known)
  }

  #rules(caller: Caller, tool: string): CallRules | Promise<CallRules> {
    const now = monotonicMs()
    let lately = this.#lately
    if (lately?.caller !== caller || now - lately.since >= KEPT_MS) {
      lately = { caller, byTool: new Map(), since: now }
      this.#lately = lately
    }
    const { byTool } = lately
    const kept = byTool.get(tool)
    if (kept !== undefined) return kept
    const rules = this.#options.inspection.rulesFor(caller, this.#options.server, tool)
    if (!(rules instanceof Promise) && byTool.size < MAX_KEPT) byTool.set(tool, rules)
    return rules
  }

  #meansOf(parts: Parts, rules: CallRules, known: KnownValues | null): Means {
    const { switches } = this.#options.inspection
    let merged = this.#merged.get(rules)
    if (merged === undefined) {
      const engine = rules.engine ?? parts.builtInEngine()
      const off = switches.detectsPii
        ? []
        : engine.detectors.filter((one) => one.category === 'pii').map((one) => one.id)
      const settings = parts.mergeSettings([{ mode: switches.mode, off }, ...rules.layers])
      merged = { engine, settings, recording: { ...settings, mode: 'log_only' }, means: null }
      this.#merged.set(rules, merged)
    }
    const { engine, settings, recording } = merged
    if (merged.means?.known !== known) merged.means = { parts, engine, settings, recording, known }
    return merged.means
  }

  async #report(caller: Caller, note: InspectionNote): Promise<void> {
    const { server, log } = this.#options
    const { direction, decision, verdict } = note
    const redact = await this.redactor(caller)
    const findings = note.findings.map(redact)
    const tool = shownName(redact(note.tool))
    log.warn('inspection', {
      server,
      tool,
      direction,
      decision,
      verdict,
      findings: findings.join(', '),
    })
    const { client } = caller
    const by = client === undefined ? caller : { ...caller, client: redact(client) }
    await this.#options.note(by, { ...note, tool, server, findings })
  }

  /** It never repeats what was found: the model would read it as part of the conversation. */
  #refusalText(tool: string, blocking: readonly Seen[]): string {
    const { inspection, server } = this.#options
    const others = [...new Set(blocking.map((one) => one.detector))].filter(
      (one) => one !== KNOWN_VALUE,
    )
    return [
      'Inspection refused this call; nothing was done.',
      ...blocking.slice(0, MAX_SHOWN).map(({ line }) => `- ${line}`),
      ...(blocking.length > MAX_SHOWN ? [`- and ${blocking.length - MAX_SHOWN} more`] : []),
      ...(others.length > 0 ? ['Say it without what was found.'] : []),
      ...(others.length > 0 && inspection.allowListFile !== null && PASTABLE.test(tool)
        ? [
            'To allow it, the person can run:',
            ...others.map(
              (detector) =>
                `  sallyport inspection allow ${detector} --server ${server} --tool ${tool} --reason 'why this is fine' --until 30d`,
            ),
          ]
        : []),
      ...(others.length < new Set(blocking.map((one) => one.detector)).size
        ? ['A secret goes by its reference, secret://PATH, not by its value.']
        : []),
    ].join('\n')
  }
}

/** Means for a message with values that are not in memory. */
async function large(
  means: Means | Promise<Means>,
  value: unknown,
  schema: unknown,
  by: 'settings' | 'recording',
): Promise<Means> {
  const { meansForLarge } = await import('./large-inspection.ts')
  const all = await means
  return meansForLarge(all, value, schema, all[by])
}

/** The name of an argument, when it is a short one. */
const TOP = /^\$\.([A-Za-z_]\w{0,63})(?=$|[.[])/

/** How each is told: never by a name in which one of them stands. */
function seenAmong(findings: readonly Finding[]): (finding: Finding) => Seen {
  const found = new Set(findings.filter(({ isKey }) => isKey).map(({ path }) => path))
  return ({ detector, severity, path, start, end, isKey }) => {
    const [prefix = '$', name] = TOP.exec(path) ?? []
    const place =
      name === undefined || found.has(prefix)
        ? 'the whole'
        : `${name}${prefix === path ? '' : '.*'}`
    return {
      detector,
      line: `${detector} ${severity} ${place}${isKey ? ' (a name)' : ''} ${start}-${end}`,
    }
  }
}

/** Null: as they are. */
function shownNames(
  findings: readonly Finding[],
  value: unknown,
  withoutSecrets: (named: Readonly<Record<string, null>>) => object,
): readonly string[] | null {
  if (!isObject(value) || !findings.some((one) => one.isKey && one.category === 'secret'))
    return null
  return namesWithout(Object.keys(value), withoutSecrets)
}

function namesWithout(
  names: readonly string[],
  withoutSecrets: (named: Readonly<Record<string, null>>) => object,
): readonly string[] {
  return Object.keys(withoutSecrets(Object.fromEntries(names.map((name) => [name, null]))))
}

function linesOf(seen: readonly Seen[]): readonly string[] {
  return seen.slice(0, MAX_TOLD).map(({ line }) => line)
}

function idsOf(found: readonly { readonly detector: string }[]): readonly string[] {
  return [...new Set(found.map(({ detector }) => detector))].toSorted()
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof ExactNumber)
}

function holdsExactNumber(value: unknown): boolean {
  if (value instanceof ExactNumber) return true
  return isObject(value) && Object.values(value).some(holdsExactNumber)
}

const NOTHING_SEEN: readonly Seen[] = []

/**
 * Known values in the texts and names of a value and of what stands beside it, or across their texts when one is split
 * over several.
 */
function knownIn(value: unknown, known: KnownValues | null, beside?: Beside): readonly Seen[] {
  if (known === null || known.reach() === 0) return NOTHING_SEEN
  return placesIn(value, known, beside).map((place) => ({
    detector: KNOWN_VALUE,
    line: `${KNOWN_VALUE} critical ${placeOf(place)} ${place.start}-${place.end}`,
  }))
}

function placeOf({ top, isName, isAcross }: KnownPlace): string {
  if (isAcross) return 'several fields'
  if (isName) return 'a name'
  return top !== null && TOP.test(`$.${top}`) ? top : 'the whole'
}

/** @throws {Fault} `ACCESS_DENIED` when what would have to be taken out is not in memory */
function redactedIn(value: unknown, known: KnownValues): unknown {
  try {
    return withoutKnown(value, known)
  } catch (error) {
    if (!(error instanceof AcrossHeldTexts)) throw error
    throw new Fault('ACCESS_DENIED', 'What the server answered holds a secret across its fields.', {
      cause: error,
    })
  }
}
