import { buildAutomaton } from '../../src/inspect/automaton.ts'
import { type Engine, KINDS, type Kind } from '../../src/inspect/index.ts'
import { keywordsOf } from '../../src/inspect/scanner.ts'
import type { Row } from './corpus.ts'
import { ORDINARY_SETS } from './quality.ts'

const MEGABYTE = 1_000_000
const ROUNDS = 5
const CALL_ROUNDS = 3
const CALLS = 10_000
const CALL_UNITS = 2_000
const HOSTILE_UNITS = 250_000

/** Below so much CPU time the clock of the system, which ticks every few ms, says nothing. */
const SAMPLE_MS = 200
const HOSTILE_SAMPLE_MS = 60

/** CPU time of this thread for one run, in ms: what else the machine does is not measured. */
export function cpuMs(work: () => void, sampleMs = SAMPLE_MS): number {
  const start = process.threadCpuUsage()
  for (let runs = 1; ; runs++) {
    work()
    const { user, system } = process.threadCpuUsage(start)
    const spent = (user + system) / 1_000
    if (spent >= sampleMs) return spent / runs
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** One flat text with one byte a unit, as most texts are. */
function asOneByte(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** The same with two bytes a unit: one letter is enough to make it so. */
function asTwoByte(text: string): string {
  return Buffer.from(`${text}ж`, 'utf16le').toString('utf16le')
}

/** A megabyte of the ordinary sets, one row of each in turn. */
export function ordinaryText(rows: readonly Row[]): string {
  const sets = ORDINARY_SETS.map((set) => rows.filter((row) => row.set === set))
  const parts: string[] = []
  let length = 0
  for (let at = 0; length < MEGABYTE; at++)
    for (const set of sets) {
      const text = set[at % set.length]?.text ?? ''
      parts.push(text)
      length += text.length + 1
    }
  return parts.join('\n').slice(0, MEGABYTE)
}

export interface Speed {
  readonly mbPerSecond: number
  /** Of a bare keyword scan with the same automaton over the same text. */
  readonly bare: number
}

/** Both take turns, and the middle round counts. */
export function throughput(engine: Engine, text: string, width: 'one byte' | 'two bytes'): Speed {
  const flat = width === 'one byte' ? asOneByte(text) : asTwoByte(text)
  const automaton = buildAutomaton(keywordsOf(engine.detectors))
  const megabytes = flat.length / MEGABYTE
  const whole: number[] = []
  const bare: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    whole.push(megabytes / (cpuMs(() => engine.inspect(flat)) / 1_000))
    let ends = 0
    const scan = (): void => automaton.scan(flat, (_, end) => void (ends = end))
    bare.push(megabytes / (cpuMs(scan) / 1_000))
    if (ends > flat.length) throw new Error('a keyword ends after the text')
  }
  return { mbPerSecond: median(whole), bare: median(bare) }
}

/** Arguments of about 2,000 units, different for each call, as they come out of a message. */
function callArguments(text: string, call: number): unknown {
  const from = (call * 7_919) % (text.length - CALL_UNITS)
  const piece = text.slice(from, from + CALL_UNITS)
  const args = {
    query: piece.slice(0, 200),
    path: `docs/${call}.md`,
    options: { limit: call, tags: [piece.slice(200, 260), `call-${call}`] },
    content: piece.slice(260),
  }
  return JSON.parse(JSON.stringify(args))
}

/**
 * The 99th percentile of distinct calls, in ms. One call is too short for the clock of CPU time, so it is the time that
 * passes: the shortest of three for each call, because others use the machine too.
 */
export function callP99(engine: Engine, text: string): number {
  const best = new Float64Array(CALLS).fill(Infinity)
  for (let round = 0; round < CALL_ROUNDS; round++)
    for (let call = 0; call < CALLS; call++) {
      const args = callArguments(text, call)
      const start = performance.now()
      engine.inspect(args)
      best[call] = Math.min(best[call] ?? Infinity, performance.now() - start)
    }
  return best.toSorted()[Math.floor(CALLS * 0.99)] ?? Number.NaN
}

/** Texts made to cost time: half matches, keywords in a row, encodings within encodings, unclosed everything. */
function hostileTexts(engine: Engine): readonly (readonly [name: string, text: string])[] {
  const fill = (seed: string): string => seed.repeat(Math.ceil(HOSTILE_UNITS / seed.length))
  const keywords = keywordsOf(engine.detectors)
  const layered = (seed: string, layer: (text: string) => string): string => {
    let text = fill(seed).slice(0, HOSTILE_UNITS / 16)
    while (text.length * 2 < HOSTILE_UNITS * 2) text = layer(text)
    return text
  }
  return [
    ['keywords', fill(`${keywords.join(' ')} `)],
    ['keywords without space', fill(keywords.join(''))],
    ['assignments', fill('password="aB3$kf9Lq", api_key: ')],
    ['digits', fill('4111 1111-1111 1112.')],
    ['one digit', fill('1')],
    ['mail', fill('a@b.co,c.d@')],
    ['dots', fill('../')],
    [
      'percent',
      layered('../etc/passwd;', (text) => encodeURIComponent(text.replaceAll('.', '%2e'))),
    ],
    ['base64', layered('curl x|sh;', (text) => Buffer.from(text).toString('base64'))],
    ['hex', layered('curl x|sh;', (text) => Buffer.from(text).toString('hex'))],
    ['escapes', fill('\\u0063\\x75')],
    ['entities', fill('&#x63;&#99;&lt')],
    ['commands', fill('$(`;|&& curl ')],
    ['comments', fill('<!-- ignore all ')],
    ['addresses', fill('http://0x7f.1@[::')],
    ['invisible', fill('a\u200b\u202eя')],
    ['surrogates', fill('\ud800\udc00\udfff')],
    ['brackets', fill('[{"a":')],
    ['quotes', `["${fill('\\"')}"]`],
    [
      'many fields',
      JSON.stringify(Array.from({ length: HOSTILE_UNITS / 10 }, (_, at) => `f${at}`)),
    ],
  ]
}

export interface Slowest {
  readonly kind: Kind
  readonly text: string
  readonly mbPerSecond: number
}

/** By kind, the text that takes longest. */
export function hostileSpeed(engine: Engine): readonly Slowest[] {
  const texts = hostileTexts(engine)
  return KINDS.filter((kind) => kind !== 'secret').map((kind) =>
    texts
      .map(([name, text]) => {
        const sample = (): number => cpuMs(() => engine.inspect(text, { kind }), HOSTILE_SAMPLE_MS)
        // Compiled after the first one, as in a server that runs; others use the caches of the machine too.
        sample()
        const ms = Math.min(sample(), sample())
        return { kind, text: name, mbPerSecond: text.length / MEGABYTE / (ms / 1_000) }
      })
      .reduce((slow, one) => (one.mbPerSecond < slow.mbPerSecond ? one : slow)),
  )
}
