import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { type ConnectionOptions, getCACertificates } from 'node:tls'
import type { Redis } from 'ioredis'
import type { CountersAddress } from '../core/counters-address.ts'
import { Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import { monotonicMs, sleep } from '../core/time.ts'
import type { Script } from './redis-counters-scripts.ts'

const CONNECT_MS = 1_000
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 500

/** Nothing was answered in time. */
export class Unanswered extends Error {
  /** Whether it was sent, so that it may have been done all the same. */
  readonly wasSent: boolean
  readonly fault: Fault

  constructor(wasSent: boolean, fault: Fault) {
    super(fault.message, { cause: fault })
    this.wasSent = wasSent
    this.fault = fault
  }
}

export interface LinkOptions {
  readonly address: CountersAddress
  /** PEM file of authorities that are trusted beside those of the system. */
  readonly caFile: string | null
  readonly log: Log
  /**
   * What was not answered for so long is asked again, milliseconds; a connection on which nothing was heard for half of
   * it, although something was asked, is given up.
   */
  readonly patienceMs: number
}

interface Connection {
  readonly redis: Redis
  isOpen: boolean
}

/**
 * One connection to Redis, made when something is asked and made anew when it breaks. What is asked is tried until it is
 * answered or its time is over, so whatever it does must be the same when it is done twice.
 */
export class RedisLink {
  readonly #options: LinkOptions
  #client: Promise<typeof Redis> | null = null
  #opening: Promise<Connection> | null = null
  #current: Connection | null = null
  /** Where a cluster says that our keys are. */
  #movedTo: { readonly host: string; readonly port: number } | null = null
  #failures = 0
  #openNotBefore = 0
  #heardAt = 0
  /** Why the last attempt failed; null while all is well. */
  #trouble: Fault | null = null
  #isClosed = false
  #isLogged = false

  constructor(options: LinkOptions) {
    this.#options = options
  }

  /**
   * @param argumentsNow asked before each attempt
   * @param until monotonic milliseconds
   * @throws {Unanswered} when there was no answer in time
   * @throws {Fault} `COUNTERS_UNAVAILABLE` when the answer was that it cannot be done
   */
  async run(
    script: Script,
    keys: readonly string[],
    argumentsNow: () => readonly string[],
    until: number,
  ): Promise<unknown> {
    let wasSent = false
    // What was answered says more than that the time was over.
    let last: unknown = TOO_LATE
    for (;;) {
      let connection: Connection
      try {
        connection = this.#current?.isOpen
          ? this.#current
          : await before(until, this.#connected(until))
      } catch (error) {
        throw new Unanswered(wasSent, this.#told(error === TOO_LATE ? last : error))
      }
      wasSent = true
      const sentAt = monotonicMs()
      try {
        const answer = await before(
          Math.min(until, sentAt + this.#options.patienceMs),
          evaluate(connection.redis, script, keys, argumentsNow()),
        )
        this.#heard()
        return answer
      } catch (error) {
        await this.#failedAttempt(error, connection, sentAt)
        if (error !== TOO_LATE) last = error
        if (monotonicMs() >= until) throw new Unanswered(true, this.#told(last))
      }
    }
  }

  /** @throws {Fault} when trying again is of no use */
  async #failedAttempt(error: unknown, connection: Connection, sentAt: number): Promise<void> {
    if (error === TOO_LATE) {
      const silentMs = monotonicMs() - Math.max(this.#heardAt, sentAt)
      if (silentMs >= this.#options.patienceMs / 2) this.#drop(connection)
      return
    }
    const kind = kindOf(error)
    if (kind === null) {
      this.#drop(connection)
      return
    }
    this.#heardAt = monotonicMs()
    if (kind === 'MOVED') this.#follow(connection, String(error))
    else if (kind === 'READONLY') {
      // Who was the primary is one no longer; the address that is set leads to who is.
      this.#movedTo = null
      this.#drop(connection)
      await sleep(FIRST_PAUSE_MS)
    } else if (PASSING.has(kind)) await sleep(FIRST_PAUSE_MS)
    else throw this.#told(error)
  }

  /** Loads the client, which nobody does who counts elsewhere. That takes none of the time that a call has. */
  loaded(): Promise<typeof Redis> {
    this.#client ??= import('ioredis').then(({ Redis: Client }) => Client)
    return this.#client
  }

  /** Whether the Redis that was last connected logs its writes to disk. */
  get isLogged(): boolean {
    return this.#isLogged
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const connection = await this.#opening?.catch(() => null)
    connection?.redis.disconnect()
  }

  async #connected(until: number): Promise<Connection> {
    for (;;) {
      if (this.#isClosed) throw new Error('closed')
      if (this.#opening === null) {
        const pause = this.#openNotBefore - monotonicMs()
        if (pause > 0) {
          if (monotonicMs() + pause >= until) throw this.#trouble ?? TOO_LATE
          await sleep(pause)
          continue
        }
        this.#opening = this.#open()
        this.#opening.catch((error: unknown) => this.#failed(error))
      }
      const opening = this.#opening
      try {
        const connection = await opening
        if (connection.isOpen) {
          this.#current = connection
          return connection
        }
        if (this.#opening === opening) this.#opening = null
      } catch (error) {
        // Who is not let in need not knock again. Else the next attempt is made by whoever still has time for it.
        const kind = kindOf(error)
        if (error instanceof Fault || (kind !== null && !PASSING.has(kind))) throw error
      }
    }
  }

  async #open(): Promise<Connection> {
    const { address, caFile } = this.#options
    const place = this.#movedTo ?? address.at
    const [Client, tls] = await Promise.all([
      this.loaded(),
      address.isTls ? tlsOf(place, caFile) : null,
    ])
    const redis = new Client({
      ...place,
      ...(tls !== null && { tls }),
      ...(address.username !== null && { username: address.username }),
      ...(address.password !== null && { password: address.password }),
      connectionName: 'sallyport-counters',
      protocol: 2,
      lazyConnect: true,
      connectTimeout: CONNECT_MS,
      // What was not answered is asked again by us, who know what may be done twice.
      retryStrategy: () => null,
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      disableClientInfo: true,
    })
    const connection: Connection = { redis, isOpen: true }
    let said: unknown = null
    redis.on('error', (error: unknown) => {
      said ??= error
    })
    redis.on('close', () => {
      connection.isOpen = false
    })
    const until = monotonicMs() + CONNECT_MS
    try {
      await before(until, redis.connect())
      if (address.database !== 0) await before(until, redis.select(address.database))
      await before(until, this.#checkKeeping(redis))
    } catch (error) {
      redis.disconnect()
      throw said ?? error
    }
    this.#heardAt = monotonicMs()
    return connection
  }

  /** Redis may be set to throw keys away when its memory is full, and nobody would see that a counter is gone. */
  async #checkKeeping(redis: Redis): Promise<void> {
    const info = await redis.info()
    const field = (name: string): string | null =>
      new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null
    this.#isLogged = field('aof_enabled') === '1'
    const policy = field('maxmemory_policy')
    if (field('maxmemory') === '0' || policy === 'noeviction') return
    throw this.#fault(
      `may throw counters away when its memory is full (maxmemory-policy ${policy ?? 'unknown'})`,
      'set maxmemory-policy noeviction there',
    )
  }

  #heard(): void {
    this.#heardAt = monotonicMs()
    this.#failures = 0
    if (this.#trouble === null) return
    this.#trouble = null
    this.#options.log.info('the counters are in reach again', { at: this.#options.address.shown })
  }

  #failed(error: unknown): void {
    this.#opening = null
    // Whoever moved there may be away; the address that is set leads to who is there now.
    this.#movedTo = null
    this.#openNotBefore =
      monotonicMs() + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures)
    this.#failures += 1
    this.#told(error)
  }

  #drop(connection: Connection): void {
    if (!connection.isOpen) return
    connection.isOpen = false
    connection.redis.disconnect()
  }

  #follow(connection: Connection, said: string): void {
    const [, host = '', port = ''] = /MOVED \d+ (.*):(\d+)$/.exec(said) ?? []
    const { at } = this.#options.address
    // A node that does not know its own name leaves it out.
    const own = 'host' in at ? at.host : ''
    if (port !== '') this.#movedTo = { host: host === '' ? own : host, port: Number(port) }
    this.#drop(connection)
  }

  /** As a fault that says what to do; said once in the log until all is well again. */
  #told(error: unknown): Fault {
    const fault = error instanceof Fault ? error : this.#faultOf(error)
    if (!this.#isClosed && this.#trouble?.message !== fault.message)
      this.#options.log.error('calls with limits are denied: their counters are out of reach', {
        reason: fault.message,
      })
    this.#trouble = fault
    return fault
  }

  #faultOf(error: unknown): Fault {
    if (error === TOO_LATE) {
      if (this.#trouble !== null) return this.#trouble
      return this.#fault('did not answer in time', 'look at what it is busy with', error)
    }
    const kind = kindOf(error)
    const [why, remedy] = (kind === null ? null : ANSWERS[kind]) ?? reachProblem(error, kind)
    return this.#fault(why, remedy, error)
  }

  #fault(why: string, remedy: string, cause?: unknown): Fault {
    const { shown } = this.#options.address
    return new Fault('COUNTERS_UNAVAILABLE', `The counters at '${shown}' ${why}.`, {
      details: { counters: shown, remedy },
      ...(cause !== undefined && { cause }),
    })
  }
}

const TOO_LATE = Symbol('too late')

/** @throws `TOO_LATE` when it takes longer; what comes after that is nobody's */
async function before<T>(until: number, work: Promise<T>): Promise<T> {
  work.catch(() => {})
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(TOO_LATE as unknown as Error),
      Math.max(0, until - monotonicMs()),
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

async function evaluate(
  redis: Redis,
  { sha, text }: Script,
  keys: readonly string[],
  given: readonly string[],
): Promise<unknown> {
  try {
    return await redis.evalsha(sha, keys.length, ...keys, ...given)
  } catch (error) {
    if (kindOf(error) !== 'NOSCRIPT') throw error
    return redis.eval(text, keys.length, ...keys, ...given)
  }
}

/** The first word of what Redis answered; null when it was no answer of Redis. */
function kindOf(error: unknown): string | null {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return null
  return /^[A-Z]+/.exec(error.message)?.[0] ?? 'ERR'
}

/** Over by itself. */
const PASSING: ReadonlySet<string> = new Set([
  'LOADING',
  'BUSY',
  'TRYAGAIN',
  'ASK',
  'CLUSTERDOWN',
  'MASTERDOWN',
  'NOREPLICAS',
  'NOSCRIPT',
])

const ANSWERS: Readonly<Record<string, readonly [why: string, remedy: string]>> = {
  WRONGPASS: ['refuse the user or the password', 'set them right in SALLYPORT_COUNTERS_URL'],
  NOAUTH: ['ask for a password', 'name it in SALLYPORT_COUNTERS_URL'],
  OOM: ['have no memory left', 'give Redis more memory, or take other data out of it'],
  MISCONF: ['cannot be written to disk', 'make room on the disk of Redis'],
  LOADING: ['are still being loaded', 'wait until Redis has read its data'],
  READONLY: ['are a replica that only reads', 'name the primary in SALLYPORT_COUNTERS_URL'],
  NOREPLICAS: ['have too few replicas in reach', 'bring the replicas of Redis back'],
  CLUSTERDOWN: ['are in a cluster that is down', 'bring the cluster of Redis back'],
}

function reachProblem(error: unknown, kind: string | null): readonly [why: string, remedy: string] {
  const message = error instanceof Error ? error.message : ''
  if (kind === 'NOPERM') {
    const command = /'([\w|]{1,40})'/.exec(message)?.[1]
    const what = command === undefined ? 'what is needed' : `'${command}'`
    return [
      `do not let this user run ${what}`,
      'give it the rights that the guide to the gateway names',
    ]
  }
  if (kind !== null) return [`answer '${kind}'`, 'look into the log of Redis']
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (/CERT|SELF_SIGNED|ISSUER|ERR_TLS|EPROTO|ERR_SSL/.test(code))
    return [
      `cannot be trusted (${code})`,
      'name the authority of its certificate in SALLYPORT_NET_CA, and the host as the certificate does',
    ]
  return [
    code === '' ? "can't be reached" : `can't be reached (${code})`,
    'check that Redis runs and that SALLYPORT_COUNTERS_URL is right',
  ]
}

async function tlsOf(
  place: CountersAddress['at'],
  caFile: string | null,
): Promise<ConnectionOptions> {
  const name = 'host' in place && isIP(place.host) === 0 ? { servername: place.host } : {}
  if (caFile === null) return name
  return { ...name, ca: [...getCACertificates('default'), await readFile(caFile, 'utf8')] }
}
