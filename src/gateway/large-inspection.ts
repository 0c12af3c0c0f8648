import { asFault, Fault } from '../core/faults.ts'
import { isHeld, newHeldReference, withoutHeld } from '../core/held-values.ts'
import { markerOf } from '../core/known-texts.ts'
import { systemClock } from '../core/time.ts'
import type { Finding, InspectSettings, Judgement } from '../inspect/index.ts'
import { Outline } from '../mcp/wire/large-outline.ts'
import { giveRoomBack, heldPieces, heldValue, hold, takeRoom } from './large-messages.ts'
import { Spool } from './large-spool.ts'
import type { KnownValues, Means } from './message-inspection.ts'

/**
 * So much of a value is looked at at once, UTF-16 units, for which inspection has room that it uses again and again;
 * and so much of it once more with what follows.
 */
const WINDOW = 32_768
const OVERLAP = 8_192
/** After so many units others are served. */
const BREATH = 131_072
/** At both ends of a large text: what is split over fields crosses them. */
const EDGE = 512
const MAX_FINDINGS = 1_000
const MAX_MATCHES = 100_000

interface Match {
  readonly start: number
  end: number
  readonly path: string
}

interface Held {
  readonly reference: string
  readonly steps: readonly (string | number)[]
}

/** What was seen in one large value. */
interface Look {
  readonly matches: readonly Match[]
  /** Its first and last units. */
  readonly edges: string
}

/**
 * Looks into the large values of a message, window by window, so that the message can be judged as if they stood in it.
 *
 * @param schema of the value, which tells what kind its texts are
 * @param settings by which it is judged
 * @returns means for this one message: what was found is what they find
 * @throws {Fault} when a value cannot be looked at: then the message does not go on
 */
export async function meansForLarge(
  means: Means,
  value: unknown,
  schema: unknown,
  settings: InspectSettings,
): Promise<Means> {
  const { parts, engine } = means
  const known = means.known?.ofMessage?.() ?? means.known
  const expansions = new parts.Expansions()
  const now = systemClock()
  const bySight: InspectSettings =
    settings.mode === 'surgical' ? { ...settings, mode: 'block' } : settings
  const bare = withoutHeld(value, () => '')
  const judge = (one: unknown): Judgement =>
    parts.judge(engine, one, { schema, expansions }, bySight, now)
  const judgements = [judge(bare)]
  const looks = new Map<string, Look>()
  for (const held of heldIn(value)) {
    const look = await lookInto(held, known, (window, at) => {
      const judged = judge(nested(held.steps, window))
      if (judged.findings.length > 0) judgements.push(moved(judged, at))
    })
    looks.set(held.reference, look)
  }
  const judgement = together(judgements, parts.verdictOf)
  return {
    ...means,
    parts: { ...parts, judge: () => judgement },
    known: known === null ? null : knownOf(known, looks),
  }
}

/** The references in a value, and where each of them stands. */
function heldIn(value: unknown): readonly Held[] {
  const found: Held[] = []
  const visit = (node: unknown, steps: Held['steps']): void => {
    if (isHeld(node)) found.push({ reference: node, steps })
    else if (Array.isArray(node)) for (const one of node) visit(one, [...steps, 0])
    else if (typeof node === 'object' && node !== null)
      for (const [name, one] of Object.entries(node)) visit(one, [...steps, name])
  }
  visit(value, [])
  return found
}

/** The text in as many objects and lists as stand around it: their names say what it is. */
function nested(steps: Held['steps'], text: string): unknown {
  return steps.reduceRight<unknown>(
    (inner, step) => (typeof step === 'number' ? [inner] : { [step]: inner }),
    text,
  )
}

function moved(judged: Judgement, by: number): Judgement {
  const at = (finding: Finding): Finding => ({
    ...finding,
    start: finding.start + by,
    end: finding.end + by,
  })
  return {
    ...judged,
    findings: judged.findings.map(at),
    blocking: judged.blocking.map(at),
    allowed: judged.allowed.map(({ finding, entry }) => ({ finding: at(finding), entry })),
  }
}

/** One judgement of many. What is taken out of small values is not, of a message with large ones: it is refused. */
function together(
  judgements: readonly Judgement[],
  verdictOf: Means['parts']['verdictOf'],
): Judgement {
  const findings = judgements.flatMap((one) => one.findings).slice(0, MAX_FINDINGS)
  const blocking = judgements.flatMap((one) => one.blocking).slice(0, MAX_FINDINGS)
  return {
    findings,
    blocking,
    isBlocked: judgements.some(({ isBlocked }) => isBlocked),
    allowed: judgements.flatMap(({ allowed }) => allowed).slice(0, MAX_FINDINGS),
    verdict: verdictOf([...findings, ...blocking]),
  }
}

async function lookInto(
  { reference }: Held,
  known: KnownValues | null,
  judge: (window: string, at: number) => void,
): Promise<Look> {
  const overlap = Math.max(OVERLAP, known?.reach() ?? 0)
  const size = Math.max(WINDOW, overlap * 3)
  const matches: Match[] = []
  let head = ''
  let tail = ''
  let looked = 0
  for (const { text, at } of windowsOf(reference, size, overlap)) {
    judge(text, at)
    for (const { start, end, path } of known?.find(text) ?? [])
      matches.push({ start: start + at, end: end + at, path })
    if (matches.length > MAX_MATCHES)
      throw new Fault('TOO_LARGE', 'A large value of the message holds too much that is known.')
    if (at === 0) head = text.slice(0, EDGE)
    tail = text.slice(-EDGE)
    looked += text.length
    if (looked < BREATH) continue
    looked = 0
    // Others are served meanwhile.
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { matches: merged(matches), edges: `${head}\uffff${tail}` }
}

function merged(matches: readonly Match[]): readonly Match[] {
  const all: Match[] = []
  for (const match of matches.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const last = all.at(-1)
    if (last === undefined || match.start >= last.end) all.push({ ...match })
    else last.end = Math.max(last.end, match.end)
  }
  return all
}

/** Known values, of which those in large values were found already. */
function knownOf(known: KnownValues, looks: ReadonlyMap<string, Look>): KnownValues {
  return {
    reach: () => known.reach(),
    edgesOf: (text) => looks.get(text)?.edges ?? known.edgesOf?.(text) ?? null,
    find(text) {
      return looks.get(text)?.matches ?? known.find(text)
    },
    redact(text) {
      const look = looks.get(text)
      if (look === undefined) return known.redact(text)
      return look.matches.length === 0 ? text : redacted(text, look.matches)
    },
  }
}

/** A large value without what is known, which is another large value. @returns its reference */
function redacted(reference: string, matches: readonly Match[]): string {
  const { kind } = heldValue(reference)
  const isText = kind === 'text'
  const spool = new Spool()
  let room = 0
  const put = (text: string): void => {
    const bytes = Buffer.from(text)
    if (!takeRoom(bytes.length))
      throw new Fault('TOO_LARGE', 'Too many large messages are under way. Try again later.')
    room += bytes.length
    spool.append(bytes)
  }
  const written = (text: string): string => JSON.stringify(text).slice(1, -1)
  try {
    if (isText) put('"')
    let at = 0
    let next = 0
    for (const piece of textsOf(reference)) {
      let done = 0
      let shown = ''
      for (; next < matches.length; next += 1) {
        const { start, end, path } = matches[next] as Match
        if (start >= at + piece.length) break
        if (start >= at) {
          const before = piece.slice(done, start - at)
          shown += (isText ? written(before) : before) + written(markerOf(path))
        }
        done = Math.min(end - at, piece.length)
        if (end > at + piece.length) break
      }
      const rest = piece.slice(done)
      put(shown + (isText ? written(rest) : rest))
      at += piece.length
    }
    if (isText) put('"')
    spool.seal()
    if (!isText) checked(spool)
    const now = newHeldReference()
    hold(spool, [{ reference: now, kind, start: 0, end: spool.size }])
    return now
  } catch (error) {
    giveRoomBack(room)
    spool.close()
    throw asFault(error)
  }
}

/** What is known may have reached over the end of a text of the structure. @throws {Fault} when it is none any more */
function checked(spool: Spool): void {
  const outline = new Outline({ isOneLine: false })
  outline.push(Buffer.from('{"result":{"x":'))
  for (const piece of spool.read(0, spool.size)) outline.push(piece)
  outline.push(Buffer.from('}}'))
  if ('kind' in outline.finish())
    throw new Fault('ACCESS_DENIED', 'What the server answered holds a secret across its fields.')
}

interface Window {
  readonly text: string
  /** Of its first unit, in the value. */
  readonly at: number
}

/** A value in stretches that overlap. */
function* windowsOf(reference: string, size: number, overlap: number): Generator<Window> {
  let text = ''
  let at = 0
  /** Units of the text that were looked at already. */
  let seen = 0
  for (const piece of textsOf(reference)) {
    text += piece
    while (text.length >= size) {
      yield { text: text.slice(0, size), at }
      const cut = alignedCut(text, size - overlap)
      text = healed(text.slice(cut))
      at += cut
      seen = size - cut
    }
  }
  if (text.length > seen || at === 0) yield { text, at }
}

/** Text of base64 is read from where a group of it begins; one of base32 and hex, too. */
const GROUP = 8
const IN_RUN = /[A-Za-z0-9+/_-]/

function alignedCut(text: string, cut: number): number {
  let start = cut
  while (start > 0 && IN_RUN.test(text.charAt(start - 1))) start -= 1
  return cut - ((cut - start) % GROUP)
}

/** A run that begins within a character would not be taken for text: what is left of that becomes spaces. */
function healed(text: string): string {
  const bytes = Buffer.from(text.slice(0, GROUP), 'base64')
  if (bytes.length < 3 || ((bytes[0] ?? 0) & 0xc0) !== 0x80) return text
  for (let at = 0; at < 3 && ((bytes[at] ?? 0) & 0xc0) === 0x80; at += 1) bytes[at] = 0x20
  return `${bytes.toString('base64').slice(0, GROUP)}${text.slice(GROUP)}`
}

/** What a value says, piece by piece: a text as it is meant, all else as it is written. */
function* textsOf(reference: string): Generator<string> {
  const { kind } = heldValue(reference)
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  if (kind === 'structure') {
    for (const piece of heldPieces(reference)) yield decoder.decode(piece, { stream: true })
    return
  }
  let raw = ''
  let isFirst = true
  for (const piece of heldPieces(reference)) {
    raw += decoder.decode(piece, { stream: true })
    if (isFirst) raw = raw.slice(1)
    isFirst = false
    // The last unit may be the quote at the end.
    const end = wholeUntil(raw.slice(0, -1))
    if (end <= 0) continue
    yield unescaped(raw.slice(0, end))
    raw = raw.slice(end)
  }
  const rest = raw.slice(0, -1)
  if (rest !== '') yield unescaped(rest)
}

function unescaped(written: string): string {
  return written.includes('\\') ? (JSON.parse(`"${written}"`) as string) : written
}

/** Up to where no escape is left incomplete. */
function wholeUntil(written: string): number {
  const last = written.lastIndexOf('\\')
  if (last === -1 || written.length - last >= 6) return written.length
  let first = last
  while (first > 0 && written.charAt(first - 1) === '\\') first -= 1
  // Two of them are one that is meant.
  if ((last - first) % 2 === 1) return written.length
  const isWhole = written.length - last > 1 && written.charAt(last + 1) !== 'u'
  return isWhole ? written.length : last
}
