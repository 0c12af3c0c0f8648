import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { addressBlock } from '../core/address-block.ts'
import type { Log } from '../core/log.ts'
import { monotonicMs } from '../core/time.ts'
import { addressIn } from '../policy/index.ts'

export interface ConnectionCaps {
  readonly maxConnections: number
  /** Of one address that is no proxy: whoever holds on to all it gets leaves as many for others. */
  readonly maxOfAddress: number
}

/** Whether a request came on a connection whose answer is not whole yet. */
export type IsUnderWay = (socket: Socket) => boolean

interface Held {
  /** As it is read: the one of TLS once hands are shaken. */
  socket: Socket
  /** Null: of a proxy, which speaks for many. */
  readonly address: string | null
}

const WARN_MS = 60_000

/**
 * Counts what is open, before it has said anything. Where that is too much, the oldest connection on which no request is
 * under way gives way to the new one: what costs its owner nothing to hold must not keep out those who ask something.
 */
export class ConnectionLimits {
  readonly #caps: ConnectionCaps
  readonly #proxies: readonly string[]
  readonly #log: Log
  readonly #readers: IsUnderWay[] = []
  /** By both ends, the oldest first. */
  readonly #open = new Map<string, Held>()
  readonly #counts = new Map<string, number>()
  #warnedAt = -WARN_MS
  #gaveWay = 0
  #refused = 0

  constructor(server: Server, caps: ConnectionCaps, proxies: readonly string[], log: Log) {
    this.#caps = caps
    this.#proxies = proxies
    this.#log = log
    server.on('connection', (socket: Socket) => this.#onConnection(socket))
    server.on('secureConnection', (socket: Socket) => {
      const held = this.#open.get(endsOf(socket))
      if (held !== undefined) held.socket = socket
    })
  }

  /** Who reads connections knows what is under way on them. */
  asks(isUnderWay: IsUnderWay): void {
    this.#readers.push(isUnderWay)
  }

  #onConnection(socket: Socket): void {
    const { remoteAddress } = socket
    // It is gone already.
    if (remoteAddress === undefined) return
    const isProxy = this.#proxies.some((range) => addressIn(range, remoteAddress))
    const address = isProxy ? null : addressBlock(remoteAddress)
    const ends = endsOf(socket)
    // One that was reset may be told to have closed only behind the next one from the same port.
    const before = this.#open.get(ends)
    if (before !== undefined) this.#left(ends, before)
    if (!this.#hasRoom(address)) {
      socket.destroy()
      return
    }
    const held: Held = { socket, address }
    this.#open.set(ends, held)
    if (address !== null) this.#counts.set(address, (this.#counts.get(address) ?? 0) + 1)
    socket.once('close', () => this.#left(ends, held))
  }

  /** Makes room where there is none. */
  #hasRoom(address: string | null): boolean {
    const { maxConnections, maxOfAddress } = this.#caps
    const isFull = address !== null && (this.#counts.get(address) ?? 0) >= maxOfAddress
    if (!isFull && this.#open.size < maxConnections) return true
    // Others make room only for whom they leave none.
    const oldest = this.#oldestResting(address) ?? (isFull ? null : this.#oldestResting(null))
    if (oldest === null) this.#refused += 1
    else {
      const [ends, held] = oldest
      this.#gaveWay += 1
      this.#left(ends, held)
      held.socket.destroy()
    }
    this.#warn(address)
    return oldest !== null
  }

  /** @param address null: of all */
  #oldestResting(address: string | null): readonly [ends: string, held: Held] | null {
    for (const entry of this.#open) {
      const [, held] = entry
      if ((address === null || held.address === address) && this.#isResting(held.socket))
        return entry
    }
    return null
  }

  #isResting(socket: Socket): boolean {
    // What waits to be sent is the rest of an answer.
    return socket.writableLength === 0 && !this.#readers.some((isUnderWay) => isUnderWay(socket))
  }

  #left(ends: string, held: Held): void {
    if (this.#open.get(ends) !== held) return
    this.#open.delete(ends)
    const { address } = held
    if (address === null) return
    const left = (this.#counts.get(address) ?? 1) - 1
    if (left === 0) this.#counts.delete(address)
    else this.#counts.set(address, left)
  }

  #warn(address: string | null): void {
    const now = monotonicMs()
    if (now - this.#warnedAt < WARN_MS) return
    this.#log.warn('too many connections are open: those without a request give way to new ones', {
      address: address ?? 'a proxy',
      open: this.#open.size,
      gave_way: this.#gaveWay,
      refused: this.#refused,
    })
    this.#warnedAt = now
    this.#gaveWay = 0
    this.#refused = 0
  }
}

function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`
}
