import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import { refuseBroken, refuseExpectation } from '../api/index.ts'
import { Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import { rangeProblem } from '../policy/index.ts'
import { isLoopback } from './arrival.ts'
import { type ConnectionCaps, ConnectionLimits } from './connection-limits.ts'

/** Where `sallyport up` listens. */
export interface Binding {
  readonly port: number
  /** Address to listen at. */
  readonly host: string
  /** Files with PEM, read anew when they change; null: no TLS. */
  readonly tls: { readonly cert: string; readonly key: string } | null
  /** Addresses and ranges of proxies in front, which speak TLS to clients. */
  readonly behindProxy: readonly string[]
}

export interface Listening {
  readonly server: Server
  readonly port: number
  readonly limits: ConnectionLimits
  /** Stops looking at the files. */
  close(): void
}

export interface Limits extends ConnectionCaps {
  /** For the handshake, for the header fields, and between two requests. */
  readonly headersMs: number
  /** For a whole request. */
  readonly requestMs: number
}

/** Long enough for a slow client to send a body of a few megabytes, short enough that idle ones do not pile up. */
const LIMITS: Limits = {
  headersMs: 10_000,
  requestMs: 60_000,
  maxConnections: 512,
  maxOfAddress: 256,
}
/** How late it may be noticed that a time is over. */
const CHECK_MS = 1_000
const MAX_HEADER_BYTES = 16_384
const LOOK_MS = 2_000

/** @throws {Fault} `BAD_USAGE` for a binding that would let secrets travel in the clear */
export function checkBinding({ host, tls, behindProxy }: Binding): void {
  for (const range of behindProxy) {
    const problem = rangeProblem(range)
    if (problem !== null)
      throw new Fault('BAD_USAGE', `--behind-proxy ${range} ${problem}.`, {
        details: { field: '--behind-proxy' },
      })
  }
  if (isLoopback(host) || host === 'localhost' || tls !== null || behindProxy.length > 0) return
  throw new Fault(
    'BAD_USAGE',
    `Listening at ${host} without TLS would let secrets travel in the clear.`,
    {
      details: {
        field: '--host',
        remedy: 'give --tls-cert and --tls-key, or --behind-proxy with the addresses of the proxy',
      },
    },
  )
}

/** @throws {Fault} `BAD_USAGE`, `BAD_INPUT` when a file of TLS is not usable, `STORE_UNAVAILABLE` when the port is taken */
export async function openListener(
  binding: Binding,
  listener: RequestListener,
  log: Log,
  limits: Limits = LIMITS,
): Promise<Listening> {
  checkBinding(binding)
  const { headersMs, requestMs } = limits
  const options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: headersMs,
    connectionsCheckingInterval: Math.min(CHECK_MS, headersMs),
    // Whoever answers refuses that, in the form of every other refusal.
    requireHostHeader: false,
  }
  const { tls } = binding
  const server =
    tls === null
      ? createServer(options, listener)
      : createTlsServer(
          { ...options, ...pemOf(tls), minVersion: 'TLSv1.2', handshakeTimeout: headersMs },
          listener,
        )
  const answers = new WeakMap<object, ServerResponse>()
  server.on('request', (incoming, outgoing) => void answers.set(incoming.socket, outgoing))
  refuseUnreadable(server, answers)
  const connections = new ConnectionLimits(server, limits, binding.behindProxy, log)
  connections.asks((socket) => answers.get(socket)?.writableFinished === false)
  const port = await listen(server, binding)
  const stopLooking = tls === null ? () => {} : reload(server as TlsServer, tls, log)
  return { server, port, limits: connections, close: stopLooking }
}

/** Node would answer with a bare status, which caches may keep and clients of the API cannot read. */
function refuseUnreadable(server: Server, answers: WeakMap<object, ServerResponse>): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
    refuseBroken(error, socket, answers.get(socket)),
  )
  // Before its handshake a connection takes no answer, and would be held for ever for one.
  server.on('tlsClientError', (_error: Error, socket: Socket) => void socket.destroy())
  server.on('checkExpectation', (_incoming, outgoing) => refuseExpectation(outgoing))
}

/** @throws {Fault} `BAD_INPUT` when a file cannot be read or key and certificate do not belong together */
function pemOf({ cert, key }: { readonly cert: string; readonly key: string }) {
  try {
    const pem = { cert: readFileSync(cert), key: readFileSync(key) }
    createSecureContext(pem)
    return pem
  } catch (cause) {
    throw new Fault('BAD_INPUT', `'${cert}' and '${key}' are not a certificate and its key.`, {
      cause,
      details: { field: '--tls-cert', remedy: 'name PEM files that belong together' },
    })
  }
}

/** Takes new files as soon as they fit together: one is always written before the other. */
function reload(
  server: TlsServer,
  files: { readonly cert: string; readonly key: string },
  log: Log,
): () => void {
  const look = (): void => {
    try {
      server.setSecureContext({ ...pemOf(files), minVersion: 'TLSv1.2' })
      log.info('the certificate was read anew', { file: files.cert })
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      log.error('the certificate is not usable; the one before stays', { file: files.cert })
    }
  }
  const names = [files.cert, files.key]
  for (const name of names) watchFile(name, { interval: LOOK_MS, persistent: false }, look)
  return () => {
    for (const name of names) unwatchFile(name, look)
  }
}

function remedyOf({ code }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') return 'end what listens there, or choose another port with --port'
  if (code === 'EACCES') return 'choose a port with --port that this user may open'
  return 'name an address of this machine with --host'
}

function listen(server: Server, { port, host }: Binding): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new Fault(
          'STORE_UNAVAILABLE',
          cause.code === 'EADDRINUSE'
            ? `Port ${port} is taken: another sallyport may be running.`
            : `Port ${port} cannot be opened on ${host} (${cause.code ?? 'unknown'}).`,
          { cause, details: { port, remedy: remedyOf(cause) } },
        ),
      )
    })
    server.listen(port, host, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
