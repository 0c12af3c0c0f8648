import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { Fault } from '../core/faults.ts'
import { monotonicMs } from '../core/time.ts'
import type { Outgoing } from '../net/index.ts'

const DEADLINE_MS = 5_000
const MAX_BYTES = 262_144
const MAX_ISSUERS = 100
/** How long a key set is used without being asked for again. */
const FRESH_MS = 600_000
/** Whoever shows an unknown kid makes us ask again, but not more often than this. */
const AGAIN_MS = 30_000

interface Known {
  readonly keys: JWTVerifyGetKey
  readonly ids: ReadonlySet<string>
  readonly readAt: number
}

/** Key sets of other issuers, found as OpenID Connect Discovery says, and kept for some minutes. */
export class WorkloadIssuers {
  readonly #net: () => Promise<Outgoing>
  readonly #known = new Map<string, Known>()
  readonly #reading = new Map<string, Promise<Known>>()

  constructor(net: () => Promise<Outgoing>) {
    this.#net = net
  }

  /** @throws {Fault} of `net/`; `NET_FAILED` when what the issuer answers is no key set */
  async keysOf(issuer: string, kid: string | undefined): Promise<JWTVerifyGetKey> {
    const known = this.#known.get(issuer)
    if (known !== undefined) {
      const age = monotonicMs() - known.readAt
      const isKnown = kid !== undefined && known.ids.has(kid)
      if (age < (isKnown ? FRESH_MS : AGAIN_MS)) return known.keys
    }
    return (await this.#read(issuer)).keys
  }

  #read(issuer: string): Promise<Known> {
    let reading = this.#reading.get(issuer)
    if (reading === undefined) {
      reading = this.#fetch(issuer).finally(() => this.#reading.delete(issuer))
      this.#reading.set(issuer, reading)
    }
    return reading
  }

  async #fetch(issuer: string): Promise<Known> {
    const base = issuer.endsWith('/') ? issuer : `${issuer}/`
    const found = await this.#json(`${base}.well-known/openid-configuration`)
    if (found['issuer'] !== issuer || typeof found['jwks_uri'] !== 'string')
      throw unusable(issuer, 'calls itself otherwise or names no keys')
    const set = await this.#json(found['jwks_uri'])
    if (!Array.isArray(set['keys'])) throw unusable(issuer, 'has no key set where it says')
    const ids = new Set<string>()
    for (const key of set['keys'] as readonly unknown[])
      if (typeof key === 'object' && key !== null && 'kid' in key && typeof key.kid === 'string')
        ids.add(key.kid)
    const known: Known = { keys: keysIn(issuer, set), ids, readAt: monotonicMs() }
    const oldest = this.#known.keys().next()
    if (this.#known.size >= MAX_ISSUERS && oldest.done !== true) this.#known.delete(oldest.value)
    this.#known.set(issuer, known)
    return known
  }

  async #json(url: string): Promise<Record<string, unknown>> {
    const out = await this.#net()
    const { status, body } = await out.request({
      url,
      audience: 'public',
      deadlineMs: DEADLINE_MS,
      maxResponseBytes: MAX_BYTES,
      headers: { accept: 'application/json' },
    })
    if (status !== 200) throw unusable(url, `answered ${status}`)
    const parsed = parsedObject(body.toString('utf8'))
    if (parsed === null) throw unusable(url, 'answered no JSON object')
    return parsed
  }
}

function keysIn(issuer: string, set: Record<string, unknown>): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(set as unknown as JSONWebKeySet)
  } catch {
    throw unusable(issuer, 'has a key set that is none')
  }
}

function parsedObject(text: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}

function unusable(url: string, why: string): Fault {
  return new Fault('NET_FAILED', `${URL.parse(url)?.origin ?? 'The issuer'} ${why}.`)
}
