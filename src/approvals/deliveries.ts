import type { WebhookEvent } from '../core/approval-port.ts'
import type { Db, Tx } from '../core/db-port.ts'
import { asFault, Fault } from '../core/faults.ts'
import { newId } from '../core/ids.ts'
import type { Log } from '../core/log.ts'
import { type Clock, type EpochMs, epochMs, toIso } from '../core/time.ts'
import type { StoreKeys } from '../keys/index.ts'
import { type Outgoing, signWebhook } from '../net/index.ts'
import type { DeliveryRow, WebhookRow, WebhookTables } from './webhook-rows.ts'
import { secretOf, tells } from './webhooks.ts'

export interface DeliveriesParts {
  readonly db: Db
  readonly keys: StoreKeys
  readonly clock: Clock
  readonly log: Log
  readonly tables: WebhookTables
  /** The way out, opened when something is to be sent. */
  readonly net: () => Promise<Outgoing>
}

/** What a webhook is told: JSON scalars and lists of names, never a value. */
export type NoticeData = Readonly<Record<string, unknown>>

/** From one try to the next; after the last one nobody tries again. About a day together. */
const PAUSES_MS = [30, 60, 300, 900, 3_600, 10_800, 21_600, 43_200].map((s) => s * 1000)
const DEADLINE_MS = 10_000
const MAX_ANSWER_BYTES = 65_536
const PAGE = 20
/** Whoever enqueues has not committed yet. */
const SOON_MS = 50
const LOOK_MS = 5_000
/** A command of a second must not wait much longer for somebody else's server. */
const LAST_PASS_MS = 2_000
const KEPT_MS = 7 * 86_400_000

/**
 * Sends what webhooks are to be told, from rows that were written with what they tell of, so that nothing is lost when
 * a process ends. A try is counted and its successor planned before it is made: at least once, never twice at a time.
 */
export class Deliveries {
  readonly #parts: DeliveriesParts
  #soon: NodeJS.Timeout | null = null
  #looking: NodeJS.Timeout | null = null
  #pass: Promise<void> | null = null
  #hasEnqueued = false
  #isClosed = false

  constructor(parts: DeliveriesParts) {
    this.#parts = parts
  }

  /** Writes what is to be sent, in the transaction of what it tells of. */
  async enqueue(tx: Tx, event: WebhookEvent, data: NoticeData, at: EpochMs): Promise<void> {
    const { webhooks, deliveries } = this.#parts.tables
    const active = await webhooks.select(tx, "state = 'active'", [])
    const told = active.filter((row) =>
      (JSON.parse(row.events) as readonly string[]).some((one) => tells(one, event)),
    )
    if (told.length === 0) return
    const rows = told.map((webhook): DeliveryRow => {
      const id = newId<string>()
      return {
        id,
        webhook_id: webhook.id,
        event,
        body: JSON.stringify({ id, event, created_at: toIso(at), data }),
        attempts: 0,
        next_at: at,
        state: 'waiting',
        last_problem: null,
        created_at: at,
        revision: 1,
      }
    })
    await deliveries.save(tx, rows)
    this.#hasEnqueued = true
    this.#soon ??= setTimeout(() => {
      this.#soon = null
      void this.deliver()
    }, SOON_MS).unref()
  }

  /** From now on this process also sends what others left behind. */
  start(): void {
    this.#looking ??= setInterval(() => void this.deliver(), LOOK_MS).unref()
  }

  /** Sends what is due. Never throws: what failed is logged and tried again. */
  deliver(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    this.#pass ??= this.#deliver()
      .catch((error: unknown) => {
        this.#parts.log.error('webhooks could not be looked at', { code: asFault(error).code })
      })
      .finally(() => {
        this.#pass = null
      })
    return this.#pass
  }

  /** Gives what this process has enqueued one last try. */
  async close(): Promise<void> {
    if (this.#soon !== null) clearTimeout(this.#soon)
    if (this.#looking !== null) clearInterval(this.#looking)
    if (this.#hasEnqueued || this.#pass !== null) {
      let timer: NodeJS.Timeout | undefined
      const enough = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, LAST_PASS_MS)
      })
      await Promise.race([Promise.resolve(this.#pass).then(() => this.deliver()), enough])
      clearTimeout(timer)
    }
    this.#isClosed = true
  }

  async #deliver(): Promise<void> {
    for (;;) {
      const due = await this.#claim()
      await Promise.all(due.map((one) => this.#tryOne(one)))
      if (due.length < PAGE) return
    }
  }

  /** Takes what is due for one try, so that no other process makes the same. */
  async #claim(): Promise<readonly Claimed[]> {
    const { db, clock, tables } = this.#parts
    const now = clock()
    const due = "state = 'waiting' and next_at <= ? order by next_at, id limit 20"
    const seen = await db.read((reader) => tables.deliveries.select(reader, due, [now]))
    if (seen.length === 0) return []
    return db.write(async (tx) => {
      const old = await tables.deliveries.select(
        tx,
        "state = 'given-up' and next_at <= ? limit 20 /*lock*/",
        [now - KEPT_MS],
      )
      for (const row of old) await tables.deliveries.remove(tx, row)
      const rows = await tables.deliveries.select(tx, `${due} /*lock*/`, [now])
      const claimed: Claimed[] = []
      for (const row of rows) {
        const webhook = await tables.webhooks.get(tx, 'id = ?', [row.webhook_id])
        if (webhook === null) {
          await tables.deliveries.remove(tx, row)
          continue
        }
        const pause = PAUSES_MS[row.attempts] ?? 0
        const next: DeliveryRow = {
          ...row,
          attempts: row.attempts + 1,
          next_at: epochMs(now + Math.max(pause, DEADLINE_MS)),
          state: row.attempts < PAUSES_MS.length ? 'waiting' : 'given-up',
          revision: row.revision + 1,
        }
        await tables.deliveries.save(tx, [next])
        // A webhook that is paused keeps what it missed until it is resumed, or its time is over.
        if (webhook.state === 'active')
          claimed.push({
            delivery: next,
            webhook,
            key: await secretOf(this.#parts.keys, tx, webhook),
          })
      }
      return claimed
    })
  }

  async #tryOne(claimed: Claimed): Promise<void> {
    const { db, tables, log } = this.#parts
    const { delivery, webhook } = claimed
    const problem = await this.#send(claimed)
    if (problem !== null)
      log.warn('a webhook was not reached', {
        webhook: webhook.id,
        event: delivery.event,
        attempt: delivery.attempts,
        code: problem.code,
      })
    await db.write(async (tx) => {
      const row = await tables.deliveries.get(tx, 'id = ? /*lock*/', [delivery.id])
      // Somebody removed the webhook, or took so long over the last try that another one is under way.
      if (row === null || row.revision !== delivery.revision) return
      if (problem === null) await tables.deliveries.remove(tx, row)
      else
        await tables.deliveries.save(tx, [
          { ...row, last_problem: problem.message.slice(0, 500), revision: row.revision + 1 },
        ])
    })
  }

  async #send({ delivery, webhook, key }: Claimed): Promise<Fault | null> {
    const body = Buffer.from(delivery.body, 'utf8')
    try {
      const net = await this.#parts.net()
      const { status } = await net.request({
        method: 'POST',
        url: webhook.url,
        headers: {
          'content-type': 'application/json',
          'x-sallyport-delivery': delivery.id,
          'x-sallyport-event': delivery.event,
          ...signWebhook(key, this.#parts.clock(), body),
        },
        body,
        // Only whoever runs this machine may send notices into its network.
        audience: webhook.created_by === 'person:local' ? 'configured' : 'public',
        deadlineMs: DEADLINE_MS,
        maxResponseBytes: MAX_ANSWER_BYTES,
      })
      return status >= 200 && status < 300
        ? null
        : new Fault('NET_FAILED', `It answered with ${status}.`)
    } catch (error) {
      return asFault(error)
    }
  }
}

interface Claimed {
  readonly delivery: DeliveryRow
  readonly webhook: WebhookRow
  readonly key: string
}
