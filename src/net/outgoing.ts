import { Readable } from 'node:stream'
import type { Agent, Dispatcher } from 'undici'
import { Fault } from '../core/faults.ts'
import { parseAllowList } from './allow-list.ts'
import { Arriving, lengthAndEncoding } from './arriving.ts'
import { authoritiesIn } from './authorities.ts'
import { ACCEPT_ENCODING, bodyChunks, drop } from './body-chunks.ts'
import { Connections } from './connections.ts'
import { type Deadline, startDeadline, unlessAborted } from './deadline.ts'
import { type DialOptions, dialer, type Lookup, resolveBySystem } from './dial.ts'
import type { Leaving } from './leaving.ts'
import { failed, netFault, timedOut, tooLarge } from './net-faults.ts'
import { type Hop, isRedirect, MAX_REDIRECTS, nextHop, type OutgoingPieces } from './redirects.ts'
import { type Audience, checkUrl, parseTarget } from './rules.ts'

export interface OutgoingOptions {
  /** Entries of `SALLYPORT_NET_ALLOW`. */
  readonly allow: readonly string[]
  /** For tests, and for those who resolve otherwise. Default: the system. */
  readonly lookup?: Lookup
  /** PEM certificates of authorities that are trusted beside the system's. */
  readonly ca?: readonly string[]
  /** A file of more of them, read before the first connection. */
  readonly caFile?: string | null
  /** For name, TCP and TLS of one connection. Default: 10,000. */
  readonly connectMs?: number
}

interface Ask {
  /** Default: GET. */
  readonly method?: string
  readonly url: string | URL
  /** Framing, host and encodings are not the caller's. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | OutgoingPieces | null
  readonly audience: Audience
  /** How many redirects are followed, at most 5. Default: 0, the redirect is the answer. */
  readonly redirects?: number
  readonly signal?: AbortSignal
}

export interface OutgoingRequest extends Ask {
  /** Over everything: name, connection, sending, all redirects, the last byte of the body. */
  readonly deadlineMs: number
  /** After decompression. */
  readonly maxResponseBytes: number
}

/** A redirect is the answer. */
export interface OutgoingStreamRequest extends Omit<Ask, 'redirects'> {
  /** Until the headers of the answer are there. */
  readonly deadlineMs: number
  /** The longest silence within the body; `null` for any. */
  readonly idleMs: number | null
  /** After decompression; `null` for no limit. */
  readonly maxResponseBytes: number | null
  /** As `signal`, for one that is not asked for more than this. */
  readonly leaving?: Leaving
}

/** Who waits for an answer that is read as it comes. One of the two is told, once. */
export interface OutgoingEars {
  answered(answer: OutgoingStream): void
  failed(error: unknown): void
}

interface AnswerHead {
  readonly status: number
  /** Without the encoding and length of what was decompressed. */
  readonly headers: Headers
  /** Who answered, after all redirects. */
  readonly url: URL
}

export interface OutgoingAnswer extends AnswerHead {
  readonly body: Buffer
}

/** To be read once, in one of the two ways, or cancelled. */
export interface OutgoingStream {
  readonly status: number
  /** As they came, those of a body that is decompressed among them. */
  readonly headers: Pick<Headers, 'get'>
  readonly url: URL
  /** As it comes. */
  readonly body: AsyncIterable<Buffer>
  /** All of it. @throws {Fault} `NET_TOO_LARGE` when there are more bytes, after decompression */
  whole(maxBytes: number): Promise<Buffer>
  /** All of it where it is there already, else null. @throws {Fault} as `whole` */
  wholeNow(maxBytes: number): Buffer | null
  cancel(): void
}

/**
 * The way out. Every status is an answer; what throws is that there was none.
 *
 * Faults: `NET_REFUSED` (an address or scheme that may not be reached), `NET_FAILED`, `NET_TIMED_OUT`, `NET_TOO_LARGE`,
 * `BAD_INPUT`. They name the origin and never path, query, headers or body. A caller's signal throws its own reason.
 */
export interface Outgoing {
  request(ask: OutgoingRequest): Promise<OutgoingAnswer>
  /** For answers that are read as they come. */
  open(ask: OutgoingStreamRequest): Promise<OutgoingStream>
  /** As `open`, without a promise: calls back while it is at the answer. */
  send(ask: OutgoingStreamRequest, ears: OutgoingEars): void
  /** Breaks off what is still under way. */
  close(): Promise<void>
}

/** @throws {Fault} `BAD_INPUT` naming an entry of the allow list that cannot be read */
export function outgoing(options: OutgoingOptions): Outgoing {
  const dial: DialOptions = {
    allow: parseAllowList(options.allow),
    lookup: options.lookup ?? resolveBySystem,
    ca: options.ca ?? [],
    connectMs: options.connectMs ?? 10_000,
  }
  const way = new Way(dial, options.caFile ?? null)
  return {
    request: (ask) => request(way, ask),
    open: (ask) =>
      new Promise((answered, failed) => {
        send(way, ask, { answered, failed })
      }),
    send: (ask, ears) => send(way, ask, ears),
    close: () => way.close(),
  }
}

async function request(way: Way, ask: OutgoingRequest): Promise<OutgoingAnswer> {
  const first = firstHop(ask, way)
  const deadline = startDeadline(ask.deadlineMs, (ms) => timedOut(first.url, ms), ask.signal)
  try {
    const { body, cancel: _cancel, ...head } = await follow(way, ask, first, deadline)
    const chunks: Buffer[] = []
    for await (const chunk of body) chunks.push(chunk)
    return { ...head, body: Buffer.concat(chunks) }
  } catch (error) {
    throw deadline.signal.aborted ? deadline.signal.reason : netFault(error, first.url)
  } finally {
    deadline.end()
  }
}

function send(way: Way, ask: OutgoingStreamRequest, ears: OutgoingEars): void {
  try {
    const hop = streamHop(ask, way)
    checkUrl(hop.url, ask.audience, way.dial.allow)
    const answer = new Arriving(hop, ask, ears)
    const ready = way.ready(ask.audience)
    if (ready !== null) answer.begin(ready)
    else way.connections(ask.audience).then((made) => answer.begin(made), answer.fail)
  } catch (error) {
    // As whoever is asked to wait, nobody is told before he does.
    queueMicrotask(() => ears.failed(error))
  }
}

interface Answered extends AnswerHead {
  readonly body: AsyncGenerator<Buffer>
  cancel(): void
}

async function follow(
  way: Way,
  ask: Ask & { readonly maxResponseBytes: number | null },
  first: Hop,
  deadline: Deadline,
): Promise<Answered> {
  const most = Math.min(ask.redirects ?? 0, MAX_REDIRECTS)
  let hop = first
  for (let followed = 0; ; followed++) {
    // Only the origin that was named is trusted as named; where it sends us is anybody's word.
    const audience = hop.url.origin === first.url.origin ? ask.audience : 'public'
    const response = await oneHop(way, hop, audience, deadline.signal)
    const headers = headersOf(response.headers)
    const location = headers.get('location')
    if (most === 0 || !isRedirect(response.statusCode, location))
      return answered(response, headers, hop, ask.maxResponseBytes)
    drop(response.body)
    if (followed === most) throw failed(first.url, `redirects more than ${most} times`)
    hop = nextHop(hop, response.statusCode, location)
  }
}

async function oneHop(
  way: Way,
  { url, method, headers, body }: Hop,
  audience: Audience,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  checkUrl(url, audience, way.dial.allow)
  try {
    const agent = await unlessAborted(way.agent(audience), signal)
    const sent = agent.request({ ...sentTo(url, headers, body), method, signal })
    // While a connection is made, undici does not hear the signal; it sends nothing afterwards.
    return await unlessAborted(sent, signal)
  } catch (error) {
    throw signal.aborted ? signal.reason : netFault(error, url)
  }
}

function sentTo({ origin, pathname, search }: URL, headers: Hop['headers'], body: Hop['body']) {
  const inPieces = isInPieces(body)
  return {
    origin,
    path: search === '' ? pathname : `${pathname}${search}`,
    headers: {
      ...headers,
      'accept-encoding': ACCEPT_ENCODING,
      ...(inPieces && { 'content-length': String(body.bytes) }),
    },
    body: inPieces ? Readable.from(body.pieces()) : body,
  }
}

function isInPieces(body: Hop['body']): body is OutgoingPieces {
  return typeof body === 'object' && body !== null && 'pieces' in body
}

function answered(
  response: Dispatcher.ResponseData,
  headers: Headers,
  { url, method }: Hop,
  maxBytes: number | null,
): Answered {
  const status = response.statusCode
  const { length, encoding } = lengthAndEncoding(status, method, headers)
  if (maxBytes !== null && length > maxBytes) {
    drop(response.body)
    throw tooLarge(url, maxBytes)
  }
  if (encoding !== null) {
    headers.delete('content-encoding')
    headers.delete('content-length')
  }
  const body = bodyChunks(response.body, { url, encoding, maxBytes })
  return { status, headers, url, body, cancel: () => drop(response.body) }
}

function headersOf(raw: Dispatcher.ResponseData['headers']): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(raw))
    for (const one of Array.isArray(value) ? value : [value ?? '']) headers.append(name, one)
  return headers
}

/** What frames a message is decided here, so that no caller can say two things at once. */
const OURS =
  /^(?:host|connection|content-length|transfer-encoding|accept-encoding|expect|upgrade|te|trailer|keep-alive|proxy-.*)$/

const MAX_NAMES = 256
const MAX_NAME_CHARACTERS = 100
/** Callers say the same names with every request. */
const lowerNames = new Map<string, string>()

/** @throws {Fault} `BAD_INPUT` */
function lowerName(name: string): string {
  const known = lowerNames.get(name)
  if (known !== undefined) return known
  const lower = name.toLowerCase()
  if (OURS.test(lower))
    throw new Fault('BAD_INPUT', `The header '${lower}' is not for callers to set.`)
  if (lowerNames.size < MAX_NAMES && name.length <= MAX_NAME_CHARACTERS) lowerNames.set(name, lower)
  return lower
}

function firstHop(ask: Ask, way: Way): Hop {
  const url = way.target(ask.url)
  const { method = 'GET', headers = NO_HEADERS, body = null } = ask
  return { url, method, headers: lowered(headers, NO_HEADERS), body }
}

type HeaderFields = Readonly<Record<string, string>>

const NO_HEADERS: HeaderFields = {}
const ENCODED: HeaderFields = { 'accept-encoding': ACCEPT_ENCODING }
/** Of those that nobody changes any more. */
const knownStreamHeaders = new WeakMap<HeaderFields, HeaderFields>()

function lowered(named: HeaderFields, more: HeaderFields): HeaderFields {
  const headers: Record<string, string> = { 'user-agent': 'sallyport' }
  for (const name of Object.keys(named)) headers[lowerName(name)] = named[name] ?? ''
  return Object.assign(headers, more)
}

/** What is sent for an answer that is read as it comes. The same headers, frozen, make the same again. */
function streamHop(ask: OutgoingStreamRequest, way: Way): Hop {
  const url = way.target(ask.url)
  const { method = 'GET', headers: named = NO_HEADERS, body = null } = ask
  const known = knownStreamHeaders.get(named)
  if (known !== undefined) return { url, method, headers: known, body }
  const headers = Object.freeze(lowered(named, ENCODED))
  if (Object.isFrozen(named)) knownStreamHeaders.set(named, headers)
  return { url, method, headers, body }
}

/** What is wrong with the file is for who runs this program; whoever asks it for something hears that it cannot. */
async function ownAuthorities(file: string | null): Promise<readonly string[]> {
  try {
    return await authoritiesIn(file)
  } catch (cause) {
    throw new Fault('NET_FAILED', 'The authorities that are set to be trusted cannot be read.', {
      cause,
      details: { remedy: 'run sallyport doctor where this is set' },
    })
  }
}

/** Where connections of one audience are kept: for what is asked whole, and for what is read as it comes. */
interface Pools {
  readonly agent: Agent
  readonly connections: Connections
}

/** The pools of connections, one of each for each audience: a connection is only used for what it was judged for. */
class Way {
  readonly dial: DialOptions
  readonly #caFile: string | null
  readonly #pools = new Map<Audience, Promise<Pools>>()
  readonly #ready = new Map<Audience, Connections>()
  #last: { readonly text: string; readonly url: URL } | null = null

  constructor(dial: DialOptions, caFile: string | null) {
    this.dial = dial
    this.#caFile = caFile
  }

  /** Many requests go to one address: nobody changes what they share. */
  target(named: string | URL): URL {
    const text = typeof named === 'string' ? named : named.href
    if (this.#last?.text === text) return this.#last.url
    const url = parseTarget(text)
    url.hash = ''
    // `example.org.` is `example.org`, in certificates and in SNI only without the dot (RFC 6066 section 3).
    if (url.hostname.endsWith('.')) url.hostname = url.hostname.slice(0, -1)
    this.#last = { text, url }
    return url
  }

  async agent(audience: Audience): Promise<Agent> {
    return (await this.#poolsOf(audience)).agent
  }

  async connections(audience: Audience): Promise<Connections> {
    return (await this.#poolsOf(audience)).connections
  }

  /** As `connections`, where there is nothing to wait for; else null. */
  ready(audience: Audience): Connections | null {
    return this.#ready.get(audience) ?? null
  }

  #poolsOf(audience: Audience): Promise<Pools> {
    const held = this.#pools.get(audience)
    if (held !== undefined) return held
    const made = this.#make(audience).catch((error: unknown) => {
      // A file that was mended is read anew.
      this.#pools.delete(audience)
      throw error
    })
    this.#pools.set(audience, made)
    return made
  }

  async #make(audience: Audience): Promise<Pools> {
    // Loading undici takes longer than a command line waits for anything else.
    const { Agent, buildConnector } = await import('undici')
    const ca = [...this.dial.ca, ...(await ownAuthorities(this.#caFile))]
    const connect = dialer(buildConnector, audience, { ...this.dial, ca })
    const agent = new Agent({ connect, allowH2: false, bodyTimeout: 0, headersTimeout: 0 })
    const connections = new Connections(connect)
    this.#ready.set(audience, connections)
    return { agent, connections }
  }

  async close(): Promise<void> {
    const all = [...this.#pools.values()]
    this.#pools.clear()
    this.#ready.clear()
    await Promise.all(
      all.map(async (one) => {
        const pools = await one.catch(() => null)
        pools?.connections.close()
        await pools?.agent.destroy()
      }),
    )
  }
}
