import { randomBytes } from 'node:crypto'
import { Fault } from '../core/faults.ts'
import { mentionsHeld } from '../core/held-values.ts'
import type { Log } from '../core/log.ts'
import { epochMs, systemClock } from '../core/time.ts'
import { sha256 } from '../crypto/index.ts'
import { type Elsewhere, type GatewayState, THIS_NODE } from '../gateway/index.ts'
import type { Outgoing } from '../net/index.ts'

export interface GatewayNodesParts {
  readonly state: GatewayState
  /** Where the other processes reach this one; null: nowhere. */
  readonly address: string | null
  readonly out: () => Promise<Pick<Outgoing, 'open' | 'request'>>
  readonly log: Log
}

/** What one process says to another: who asks, what, and that it let him in. */
interface Letter {
  readonly v: 1
  readonly to: string
  readonly at: number
  readonly nonce: string
  readonly path: string
  readonly body: string
  readonly admitted: object
}

/** The field of a request that another process of the store sent on. */
export const LETTER = 'sallyport-sent-on'
/** As long as a round may take, and then some. */
const KNOWN_MS = 86_400_000
/** For how long a call that was sent on is waited for at most: the other process, which is looked at, ends it before. */
const SENT_MS = 86_400_000
/** How much the clocks of two machines may differ. */
const SKEW_MS = 30_000
/** Who says nothing for that long to so little does not go on with a call. */
const ALIVE_MS = 2_000
const MAX_HEALTH_BYTES = 4_096
/** How often it is asked while it has a call, and how often in a row it may say nothing. */
const LOOK_MS = 5_000
const MAX_SILENT = 2
/** Fields of a client that the other process has to see. */
const PASSED = /^(?:accept|content-type|mcp-.*|traceparent|tracestate)$/

/**
 * The processes that serve one store. A call of a legacy server that waits for its client is held open by one of them;
 * a client that comes back to another one is sent on to it. The bearer stays where it was shown: what goes to the other
 * process is who was let in, signed with a key that only processes of the store have.
 */
export class GatewayNodes {
  readonly #parts: GatewayNodesParts
  #announcedAt = Number.NEGATIVE_INFINITY

  constructor(parts: GatewayNodesParts) {
    this.#parts = parts
  }

  /** Whether it is time to say again where this process is reached. */
  get isDue(): boolean {
    return this.#parts.address !== null && systemClock() - this.#announcedAt >= KNOWN_MS / 2
  }

  /** Says where this process is reached. Who cannot be told it may still call here. */
  async announce(): Promise<void> {
    const { address, state, log } = this.#parts
    if (address === null || !this.isDue) return
    const now = systemClock()
    try {
      await state.keepNode(THIS_NODE, address, epochMs(now + KNOWN_MS))
      this.#announcedAt = now
    } catch (error) {
      log.warn('other processes were not told of this one', { error: String(error) })
    }
  }

  /** @returns false when nobody answers there; then nothing was answered here */
  async sendOn(elsewhere: Elsewhere): Promise<boolean> {
    const { node, path, request, response, frame, admitted } = elsewhere
    const { state, log } = this.#parts
    // What lies in a sealed file of this process is read by no other.
    if (mentionsHeld(frame.toString('latin1'))) return false
    const address = await state.addressOf(node)
    if (address === null) return false
    const letter: Letter = {
      v: 1,
      to: node,
      at: systemClock(),
      nonce: randomBytes(16).toString('base64url'),
      path,
      body: sha256(frame).toString('base64url'),
      admitted,
    }
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const silent = new AbortController()
    const looking = setInterval(() => void look(), LOOK_MS).unref()
    response.once('close', () => clearInterval(looking))
    let silences = 0
    const look = async (): Promise<void> => {
      try {
        await requireAlive(await this.#parts.out(), address)
        silences = 0
      } catch {
        silences += 1
        if (silences >= MAX_SILENT) silent.abort()
      }
    }
    let answer: Awaited<ReturnType<Outgoing['open']>>
    try {
      const out = await this.#parts.out()
      await requireAlive(out, address)
      answer = await out.open({
        url: new URL(path, address),
        method: 'POST',
        headers: { ...fieldsOf(request), [LETTER]: this.#sealed(letter) },
        body: frame.toString('utf8'),
        audience: 'configured',
        deadlineMs: SENT_MS,
        idleMs: null,
        maxResponseBytes: null,
        signal: AbortSignal.any([gone.signal, silent.signal]),
      })
    } catch (error) {
      clearInterval(looking)
      if (gone.signal.aborted) return true
      log.warn('a call is held by a process that does not answer', { node, error: String(error) })
      return false
    }
    const type = answer.headers.get('content-type')
    response.writeHead(answer.status, {
      ...(type !== null && { 'Content-Type': type }),
      'Cache-Control': 'no-store',
    })
    try {
      for await (const piece of answer.body) response.write(piece)
      response.end()
    } catch {
      // Half an answer must not look like a whole one.
      response.destroy()
    }
    return true
  }

  /**
   * Who was let in by another process, as it wrote him down for the door at this path.
   *
   * @param text of the field
   * @throws {Fault} `UNAUTHENTICATED` for what no process of the store wrote, or wrote for another one or before
   */
  async admitted<A extends object>(
    text: string,
    path: string,
  ): Promise<A & { readonly sentOn: string }> {
    const letter = this.#opened(text)
    const now = systemClock()
    const isFor = letter?.to === THIS_NODE && letter.path === path
    if (!isFor || Math.abs(now - letter.at) > SKEW_MS) throw stranger()
    const until = epochMs(now + 2 * SKEW_MS)
    if (!(await this.#parts.state.useOnce(letter.nonce, until))) throw stranger()
    return { ...(letter.admitted as A), sentOn: letter.body }
  }

  async close(): Promise<void> {
    if (this.#announcedAt > 0) await this.#parts.state.dropNode(THIS_NODE).catch(() => {})
  }

  #sealed(letter: Letter): string {
    const body = Buffer.from(JSON.stringify(letter), 'utf8')
    const mac = this.#parts.state.nodeKey.sign(body)
    return `${body.toString('base64url')}.${mac.toString('base64url')}`
  }

  #opened(text: string): Letter | null {
    const [body = '', mac = '', ...rest] = text.split('.')
    const bytes = Buffer.from(body, 'base64url')
    const isOurs =
      rest.length === 0 && this.#parts.state.nodeKey.verify(bytes, Buffer.from(mac, 'base64url'))
    const letter = isOurs ? (JSON.parse(bytes.toString('utf8')) as Letter) : null
    return letter?.v === 1 ? letter : null
  }
}

/** @throws {Fault} when nobody answers there, or only that he is ending */
async function requireAlive(out: Pick<Outgoing, 'request'>, address: string): Promise<void> {
  const { status } = await out.request({
    url: new URL('/health', address),
    audience: 'configured',
    deadlineMs: ALIVE_MS,
    maxResponseBytes: MAX_HEALTH_BYTES,
  })
  if (status !== 200) throw new Fault('NET_FAILED', `It answers with ${status}.`)
}

function stranger(): Fault {
  return new Fault('UNAUTHENTICATED', 'No process of this store sent this.')
}

function fieldsOf({ headers }: Elsewhere['request']): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers))
    if (typeof value === 'string' && PASSED.test(name)) passed[name] = value
  return passed
}
