import { addressBlock } from '../core/address-block.ts'
import type { Db, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { type Clock, type EpochMs, epochMs } from '../core/time.ts'
import { keyedName } from './keyed-name.ts'
import {
  deleteFailures,
  deleteOldFailures,
  lockFailures,
  saveFailures,
} from './sign-in-repository.ts'

interface Allowance {
  /** Wrong answers that cost nothing but the hashing. */
  readonly free: number
  readonly firstBlockMs: number
  readonly maxBlockMs: number
}

/** An account is not shut for longer than this by somebody who only knows its name. */
const OF_ACCOUNT: Allowance = { free: 5, firstBlockMs: 30_000, maxBlockMs: 900_000 }
const OF_ADDRESS: Allowance = { free: 20, firstBlockMs: 30_000, maxBlockMs: 3_600_000 }
/** What is older does not count. */
const REMEMBER_MS = 86_400_000

/**
 * Counts guesses of every process before they are checked, so that guesses made at the same time all count. It knows no
 * accounts: a name that nobody has is counted and blocked like any other.
 */
export class SignInThrottle {
  readonly #parts: {
    readonly db: Db
    readonly clock: Clock
    readonly lookupKey: () => Promise<Uint8Array>
  }

  constructor(parts: {
    readonly db: Db
    readonly clock: Clock
    readonly lookupKey: () => Promise<Uint8Array>
  }) {
    this.#parts = parts
  }

  /** @throws {Fault} `THROTTLED`, the same text for an account and an address */
  async count(account: string, address: string | null): Promise<void> {
    const key = await this.#parts.lookupKey()
    const at = this.#parts.clock()
    const counted: readonly (readonly [string, Allowance])[] = [
      [keyedName(key, 'address', addressBlock(address)), OF_ADDRESS],
      [keyedName(key, 'account', account), OF_ACCOUNT],
    ]
    const waitMs = await this.#parts.db.write(async (tx) => {
      await deleteOldFailures(tx, epochMs(at - REMEMBER_MS))
      let longest = 0
      for (const [id] of counted) longest = Math.max(longest, await blockedFor(tx, id, at))
      if (longest > 0) return longest
      for (const [id, allowance] of counted) await countOne(tx, id, allowance, at)
      return 0
    })
    if (waitMs === 0) return
    const seconds = Math.ceil(waitMs / 1000)
    throw new Fault('THROTTLED', `Too many failed attempts; try again in ${seconds} s.`, {
      details: { retryAfterSeconds: seconds },
    })
  }

  /** The right answer came. What was counted of the address stays: its owner may have one account and guess at others. */
  async forgive(account: string, address: string | null): Promise<void> {
    const key = await this.#parts.lookupKey()
    await this.#parts.db.write(async (tx) => {
      const counted = await lockFailures(tx, keyedName(key, 'address', addressBlock(address)))
      const failures = Math.max(0, counted.failures - 1)
      await saveFailures(tx, { ...counted, failures, blocked_until: epochMs(0) })
      await deleteFailures(tx, keyedName(key, 'account', account))
    })
  }
}

async function blockedFor(tx: Tx, id: string, at: EpochMs): Promise<number> {
  const { blocked_until: until } = await lockFailures(tx, id)
  const left = until - at
  // No pause is that long: the clock was stepped back since.
  return left > OF_ADDRESS.maxBlockMs ? 0 : Math.max(0, left)
}

async function countOne(tx: Tx, id: string, allowance: Allowance, at: EpochMs): Promise<void> {
  const { failures } = await lockFailures(tx, id)
  const next = failures + 1
  const beyond = next - allowance.free
  const pause = Math.min(allowance.firstBlockMs * 2 ** Math.max(0, beyond), allowance.maxBlockMs)
  const blockedUntil = beyond < 0 ? epochMs(0) : epochMs(at + pause)
  await saveFailures(tx, { id, failures: next, last_at: at, blocked_until: blockedUntil })
}
