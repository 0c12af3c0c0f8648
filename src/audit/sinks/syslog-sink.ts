import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { connect, isIP, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { connect as connectTls } from 'node:tls'
import { monotonicMs, toIso } from '../../core/time.ts'
import type { Sink, SinkBatch, SinkRecord } from './sink.ts'
import type { SyslogSinkConfig } from './sink-config.ts'

/** RFC 5424 table 2. A refusal is what somebody should look at. */
const SEVERITY: Readonly<Record<string, number>> = {
  refusal: 4,
  change: 5,
  checkpoint: 5,
}
const INFORMATIONAL = 6

/** `<PRI>1 TIME HOST sallyport PID KIND - LINE`, RFC 5424 section 6; the line is plain JSON, so no BOM stands before it. */
export function syslogMessage(record: SinkRecord, facility: number): string {
  const priority = facility * 8 + (SEVERITY[record.kind] ?? INFORMATIONAL)
  const host =
    hostname()
      .replaceAll(/[^!-~]/g, '')
      .slice(0, 255) || '-'
  const head = `<${priority}>1 ${toIso(record.at)} ${host} sallyport ${process.pid}`
  return `${head} ${record.kind} - ${record.line}`
}

/** RFC 6587 section 3.4.1: the length in bytes before each message, so that nothing within can end it. */
function framed(message: string): string {
  return `${Buffer.byteLength(message)} ${message}`
}

export function syslogSink(config: SyslogSinkConfig): Sink {
  return config.transport === 'udp' ? udpSink(config) : new SyslogStream(config)
}

/** What was sent within this time may have been lost with a connection that ended. */
const UNSURE_MS = 30_000
const MAX_UNSURE_CHARACTERS = 1_048_576

/**
 * A connection that stays open. The protocol has no answer: a record counts as delivered when the peer's kernel or ours
 * has taken it over. A peer that stops reading is noticed when the buffers between are full; what it was sent last comes
 * again on the next connection when one ends.
 */
class SyslogStream implements Sink {
  readonly #config: SyslogSinkConfig
  #socket: Socket | null = null
  /** What was sent last, oldest first. */
  #unsure: { readonly at: number; readonly text: string }[] = []

  constructor(config: SyslogSinkConfig) {
    this.#config = config
  }

  async send({ records }: SinkBatch, signal: AbortSignal): Promise<void> {
    const { facility } = this.#config
    const text = records.map((record) => framed(syslogMessage(record, facility))).join('')
    const before = this.#socket
    const socket = await this.#connected(signal)
    const again = socket === before ? '' : this.#unsure.map((sent) => sent.text).join('')
    const drop = (): void => void socket.destroy()
    signal.addEventListener('abort', drop, { once: true })
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('close', onClose)
        socket.write(`${again}${text}`, (error) => {
          socket.off('close', onClose)
          if (error === null || error === undefined) resolve()
          else reject(error)
        })
        function onClose(): void {
          reject(new Error('the connection was closed'))
        }
      })
    } finally {
      signal.removeEventListener('abort', drop)
    }
    this.#note(text)
  }

  #note(text: string): void {
    const now = monotonicMs()
    this.#unsure.push({ at: now, text })
    this.#unsure = this.#unsure.filter(({ at }) => now - at < UNSURE_MS)
    let characters = 0
    const oldest = this.#unsure.findLastIndex((sent) => {
      characters += sent.text.length
      return characters > MAX_UNSURE_CHARACTERS
    })
    if (oldest >= 0) this.#unsure.splice(0, oldest + 1)
  }

  async close(): Promise<void> {
    const socket = this.#socket
    this.#socket = null
    if (socket === null || socket.destroyed) return
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve())
      socket.end(() => socket.destroy())
    })
  }

  async #connected(signal: AbortSignal): Promise<Socket> {
    const held = this.#socket
    if (held !== null && held.writable) return held
    const { transport, host, port, path } = this.#config
    const socket =
      transport === 'unix'
        ? connect({ path })
        : transport === 'tcp'
          ? connect({ host, port, keepAlive: true })
          : connectTls({ host, port, rejectUnauthorized: true, ...serverName(host) })
    const drop = (): void => void socket.destroy()
    signal.addEventListener('abort', drop, { once: true })
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once(transport === 'tls' ? 'secureConnect' : 'connect', () => resolve())
        socket.once('error', reject)
        socket.once('close', () => reject(new Error('the connection was closed')))
      })
    } finally {
      signal.removeEventListener('abort', drop)
    }
    // Nobody answers in syslog: what comes is read away, and its end is the end of the connection.
    socket.on('error', drop).on('end', drop).resume().unref()
    this.#socket = socket
    return socket
  }
}

/** An address is no name (RFC 6066 section 3). */
function serverName(host: string): { readonly servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {}
}

function udpSink({ host, port, facility }: SyslogSinkConfig): Sink {
  return {
    async send({ records }) {
      const { address, family } = await lookup(host)
      const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
      try {
        for (const record of records)
          await new Promise<void>((resolve, reject) => {
            socket.once('error', reject)
            socket.send(syslogMessage(record, facility), port, address, (error) => {
              if (error === null) resolve()
              else reject(error)
            })
          })
      } finally {
        socket.close()
      }
    },
    close: async () => undefined,
  }
}
