import type { IncomingMessage } from 'node:http'
import { Fault } from '../core/faults.ts'
import { addressIn } from '../policy/index.ts'

/** From where a request came and how it travelled. */
export interface Arrival {
  /** Address of the client; null when it cannot be told, which no list of addresses lets through. */
  readonly address: string | null
  readonly scheme: 'http' | 'https'
  /** Over TLS, or without leaving the machine. Nothing secret is taken from a request that is not. */
  readonly isPrivate: boolean
}

interface Forwarding {
  /** From the client to the last proxy; null for a hop that is no address. */
  readonly hops: readonly (string | null)[]
  readonly schemes: readonly string[]
}

type Incoming = Pick<IncomingMessage, 'headers'> & {
  readonly socket: { readonly remoteAddress?: string | undefined; readonly encrypted?: boolean }
}

/**
 * What proxies say of a request counts from those in `trusted` alone, hop by hop from the last one.
 *
 * @param trusted addresses and CIDR ranges
 * @throws {Fault} `BAD_INPUT` when two headers say different things: one of them may be the client's own
 */
export function arrivalOf(incoming: Incoming, trusted: readonly string[]): Arrival {
  const direct = directArrival(incoming.socket)
  const peer = direct.address
  const isTrusted = (address: string): boolean => trusted.some((range) => addressIn(range, address))
  if (trusted.length === 0 || peer === null || !isTrusted(peer)) return direct
  const forwarding = forwardingOf(incoming)
  if (forwarding === null) return direct
  const isSecure =
    forwarding.schemes.length > 0 && forwarding.schemes.every((one) => one === 'https')
  return {
    address: clientOf(forwarding.hops, isTrusted),
    scheme: isSecure ? 'https' : 'http',
    isPrivate: isSecure,
  }
}

const YEAR_SECONDS = 31_536_000
const LOCAL_NAME = /^(?:(?:[a-z0-9-]+\.)*localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i

/**
 * Header fields of every answer. Who came over TLS is to come over nothing else for a year (RFC 6797); not on names that
 * mean this machine, which other servers on it have too.
 */
export function securityOf(
  { scheme }: Pick<Arrival, 'scheme'>,
  { headers }: Pick<IncomingMessage, 'headers'>,
): readonly (readonly [name: string, value: string])[] {
  if (scheme !== 'https' || LOCAL_NAME.test(headers.host ?? '')) return []
  return [['Strict-Transport-Security', `max-age=${YEAR_SECONDS}`]]
}

/** Node takes the first of two of these and others take the last. */
const ONCE = ['host', 'authorization', 'content-type']
const LENGTHS = new Set(ONCE.map((name) => name.length))

/**
 * Refuses requests in which a field stands twice that may stand once, and those that name no host or several (RFC 9112,
 * section 3.2): a proxy in front may have judged the other one.
 *
 * @throws {Fault} `BAD_INPUT`
 */
export function checkFields({
  rawHeaders,
  httpVersionMajor,
  httpVersionMinor,
}: Pick<IncomingMessage, 'rawHeaders' | 'httpVersionMajor' | 'httpVersionMinor'>): void {
  let seen = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const written = rawHeaders[at] ?? ''
    if (!LENGTHS.has(written.length)) continue
    const field = ONCE.indexOf(written.toLowerCase())
    if (field === -1) continue
    if ((seen & (1 << field)) !== 0) throw badField(written, 'is there twice')
    seen |= 1 << field
  }
  const isOld = httpVersionMajor === 1 && httpVersionMinor === 0
  if ((seen & 1) === 0 && !isOld) throw badField('Host', 'is missing')
}

function badField(field: string, what: string): Fault {
  return new Fault('BAD_INPUT', `The header field ${field} ${what}.`, { details: { field } })
}

/** A connection brings many requests. */
const known = new WeakMap<object, Arrival>()

function directArrival(socket: Incoming['socket']): Arrival {
  const before = known.get(socket)
  if (before !== undefined) return before
  const address = plainAddress(socket.remoteAddress ?? null)
  const isTls = socket.encrypted === true
  const arrival: Arrival = {
    address,
    scheme: isTls ? 'https' : 'http',
    isPrivate: isTls || (address !== null && isLoopback(address)),
  }
  // A socket that is gone has no address any more.
  if (address !== null) known.set(socket, arrival)
  return arrival
}

/**
 * The last hop that is no proxy of ours; null when that hop is no address. A proxy that names nobody has not asked for
 * itself: as its own address, that of this machine perhaps, its client would be somebody else.
 */
function clientOf(
  hops: readonly (string | null)[],
  isTrusted: (address: string) => boolean,
): string | null {
  for (const hop of hops.toReversed()) if (hop === null || !isTrusted(hop)) return hop
  return hops[0] ?? null
}

function forwardingOf({ headers }: Incoming): Forwarding | null {
  const standard = listOf(headers['forwarded']).map(parameters)
  const forwardedFor = listOf(headers['x-forwarded-for'])
  const proto = listOf(headers['x-forwarded-proto'])
  if (standard.length === 0 && forwardedFor.length === 0 && proto.length === 0) return null
  const named: Forwarding = {
    hops: standard.map((one) => nodeAddress(one.get('for') ?? '')),
    schemes: standard.flatMap((one) => one.get('proto') ?? []),
  }
  const older: Forwarding = {
    hops: forwardedFor.map(nodeAddress),
    schemes: proto.map((one) => one.toLowerCase()),
  }
  if (standard.length === 0) return older
  if (isOther(named.hops, older.hops) || isOther(named.schemes, older.schemes))
    throw new Fault('BAD_INPUT', 'Forwarded and X-Forwarded-* say different things.', {
      details: {
        field: 'Forwarded',
        remedy: 'have the proxy set one of them and remove the other from what clients send',
      },
    })
  return named
}

function isOther(one: readonly unknown[], other: readonly unknown[]): boolean {
  return other.length > 0 && JSON.stringify(one) !== JSON.stringify(other)
}

const MAX_HOPS = 32

function listOf(header: string | readonly string[] | undefined): readonly string[] {
  const text = header === undefined ? '' : [header].flat().join(',')
  return text === ''
    ? []
    : text
        .split(',')
        .slice(-MAX_HOPS)
        .map((one) => one.trim())
}

/** RFC 7239 section 4, without commas and semicolons in quotes: no address has them. */
function parameters(element: string): ReadonlyMap<string, string> {
  return new Map(
    element.split(';').map((pair): [string, string] => {
      const [name = '', value = ''] = pair.split('=', 2)
      return [name.trim().toLowerCase(), value.trim().replaceAll('"', '').toLowerCase()]
    }),
  )
}

/** `192.0.2.1`, `192.0.2.1:4711`, `[2001:db8::1]:4711`, `2001:db8::1`; null for names that hide the address. */
function nodeAddress(node: string): string | null {
  const bare =
    /^\[([^\]]+)\](?::\d{1,5})?$/.exec(node)?.[1] ??
    /^([\d.]+)(?::\d{1,5})?$/.exec(node)?.[1] ??
    node
  const address = plainAddress(bare)
  return address !== null && (addressIn('0.0.0.0/0', address) || addressIn('::/0', address))
    ? address
    : null
}

/** IPv4 that a socket for both families wrote as IPv6, as IPv4. */
function plainAddress(address: string | null): string | null {
  return address === null ? null : address.replace(/^::ffff:(?=\d+\.)/i, '')
}

export function isLoopback(address: string): boolean {
  // As most clients of this machine come, again and again.
  return (
    address === '127.0.0.1' || addressIn('127.0.0.0/8', address) || addressIn('::1/128', address)
  )
}
