import type { InspectionSwitches } from '../core/config.ts'
import { ExactNumber } from '../core/decimal.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import { systemClock } from '../core/time.ts'
import type { InspectionNote } from '../core/vault-port.ts'
import type { Engine, Finding, InspectSettings } from '../inspect/index.ts'
import { shownName } from './tool-call.ts'

/** The values that one principal was given or entered. */
export interface KnownValues {
  find(text: string): readonly { readonly start: number; readonly end: number }[]
  redact(text: string): string
}

/** How calls are inspected, as the secrets server has it too. */
export interface CallInspection {
  readonly switches: InspectionSwitches
  /** @throws {Fault} `BAD_INPUT` when the rules cannot be understood: then nothing passes */
  rulesFor(
    caller: Caller,
    server: string,
    tool: string,
  ): Promise<{
    readonly layers: readonly Partial<InspectSettings>[]
    readonly engine: Engine | null
  }>
  readonly allowListFile: string | null
  knownValuesOf?(caller: Caller): Promise<KnownValues>
}

export interface MessageInspectionOptions {
  readonly inspection: CallInspection
  readonly server: string
  readonly log: Log
  /** @throws when it cannot be written down: then the message does not pass */
  readonly note: (caller: Caller, note: InspectionNote) => Promise<void>
}

export type InspectedInput = { readonly value: unknown } | { readonly refusal: string }

/** An agent chooses what it calls, and the person pastes the line. */
const PASTABLE = /^\w[\w.-]{0,99}$/
const KNOWN_VALUE = 'known-value'
const MAX_TOLD = 50
const MAX_SHOWN = 20

/** What is seen in one place: `remote-shell critical command 10-42`. */
interface Seen {
  readonly detector: string
  readonly line: string
}

/** Looks at what agents send to a server and at what it sends back. */
export class MessageInspection {
  readonly #options: MessageInspectionOptions
  #loaded: Promise<typeof import('../inspect/index.ts')> | undefined

  constructor(options: MessageInspectionOptions) {
    this.#options = options
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

  /** @returns the value that goes on, the same one when nothing was taken out; or why nothing does */
  async input(caller: Caller, tool: string, value: unknown): Promise<InspectedInput> {
    const { inspection } = this.#options
    const { switches } = inspection
    if (!switches.isEnabled) return { value }
    const parts = await this.#load()
    const { engine, settings } = await this.#rulesFor(caller, tool)
    const now = systemClock()
    const judged = parts.judge(engine, value, {}, settings, now)
    const known = switches.exfiltration === 'off' ? [] : knownIn(value, await this.#known(caller))
    const isChanged = judged.cleaned !== undefined
    const blocking = [
      ...(judged.isBlocked || (isChanged && holdsExactNumber(value))
        ? (judged.blocking.length > 0 ? judged.blocking : judged.findings).map(seenOf)
        : []),
      ...(switches.exfiltration === 'block' ? known : []),
    ]
    const isRefused = blocking.length > 0
    const seen = [...judged.findings.filter(parts.isCounted).map(seenOf), ...known]
    if (seen.length > 0 || isRefused || isChanged)
      await this.#report(caller, {
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
      })
    if (isRefused) return { refusal: this.#refusalText(tool, blocking) }
    return { value: isChanged ? judged.cleaned : value }
  }

  /** @returns the value with known values taken out, the same one when there were none. Nothing is refused. */
  async output(caller: Caller, tool: string, value: unknown): Promise<unknown> {
    const { switches } = this.#options.inspection
    if (!switches.isEnabled) return value
    const parts = await this.#load()
    const known = switches.redactsSecrets ? await this.#known(caller) : null
    const shown = known === null ? value : redactedIn(value, known)
    const { engine, settings } = await this.#rulesFor(caller, tool)
    const judged = parts.judge(engine, shown, {}, { ...settings, mode: 'log_only' }, systemClock())
    const seen = judged.findings.filter(parts.isCounted).map(seenOf)
    const isRedacted = shown !== value
    if (isRedacted)
      seen.unshift({ detector: KNOWN_VALUE, line: `${KNOWN_VALUE} critical redacted` })
    if (seen.length > 0)
      await this.#report(caller, {
        tool,
        direction: 'output',
        decision: isRedacted ? 'changed' : 'passed',
        mode: settings.mode,
        verdict: judged.verdict,
        findings: linesOf(seen),
        blocking: idsOf(judged.blocking),
        allowed: idsOf(judged.allowed.map(({ finding }) => finding)),
      })
    return shown
  }

  #load(): Promise<typeof import('../inspect/index.ts')> {
    this.#loaded ??= import('../inspect/index.ts')
    return this.#loaded
  }

  async #rulesFor(
    caller: Caller,
    tool: string,
  ): Promise<{ readonly engine: Engine; readonly settings: InspectSettings }> {
    const { inspection, server } = this.#options
    const { builtInEngine, mergeSettings } = await this.#load()
    const { engine: own, layers } = await inspection.rulesFor(caller, server, tool)
    const engine = own ?? builtInEngine()
    const off = inspection.switches.detectsPii
      ? []
      : engine.detectors.filter((one) => one.category === 'pii').map((one) => one.id)
    return { engine, settings: mergeSettings([{ mode: inspection.switches.mode, off }, ...layers]) }
  }

  async #known(caller: Caller): Promise<KnownValues | null> {
    return (await this.#options.inspection.knownValuesOf?.(caller)) ?? null
  }

  async #report(caller: Caller, note: InspectionNote): Promise<void> {
    const { server, log } = this.#options
    const { direction, decision, verdict, findings } = note
    const tool = shownName(note.tool)
    log.warn('inspection', {
      server,
      tool,
      direction,
      decision,
      verdict,
      findings: findings.join(', '),
    })
    await this.#options.note(caller, { ...note, tool, server })
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

const TOP = /^\$\.([A-Za-z_]\w{0,63})/

function seenOf({ detector, severity, path, start, end, isKey }: Finding): Seen {
  const [prefix, name] = TOP.exec(path) ?? []
  const place =
    name === undefined
      ? 'the whole'
      : `${name}${prefix === path ? '' : '.*'}${isKey ? ' (a name)' : ''}`
  return { detector, line: `${detector} ${severity} ${place} ${start}-${end}` }
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

/** Known values in the texts and names of a value, or across its texts when one is split over several. */
function knownIn(value: unknown, known: KnownValues | null): readonly Seen[] {
  if (known === null) return []
  const found: Seen[] = []
  const texts: string[] = []
  const look = (text: string, place: string): void => {
    for (const { start, end } of known.find(text))
      found.push({
        detector: KNOWN_VALUE,
        line: `${KNOWN_VALUE} critical ${place} ${start}-${end}`,
      })
  }
  const visit = (node: unknown, place: string): void => {
    if (typeof node === 'string') {
      texts.push(node)
      look(node, place)
    } else if (isObject(node))
      for (const [name, inner] of Object.entries(node)) {
        const isTop = node === value && !Array.isArray(node)
        if (!Array.isArray(node)) look(name, 'a name')
        visit(inner, isTop && TOP.test(`$.${name}`) ? name : place)
      }
  }
  visit(value, 'the whole')
  if (found.length === 0 && texts.length > 1) look(texts.join(''), 'several fields')
  return found
}

function redactedIn(value: unknown, known: KnownValues): unknown {
  if (typeof value === 'string') return known.redact(value)
  if (!isObject(value)) return value
  if (Array.isArray(value)) {
    const items = value.map((one) => redactedIn(one, known))
    return items.every((one, index) => one === value[index]) ? value : items
  }
  const entries = Object.entries(value)
  const shown = entries.map(([name, one]) => [known.redact(name), redactedIn(one, known)] as const)
  const isSame = shown.every(([name, one], index) => {
    const [oldName, oldOne] = entries[index] ?? []
    return name === oldName && one === oldOne
  })
  return isSame ? value : Object.fromEntries(shown)
}
