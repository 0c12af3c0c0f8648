import { isIPv4, isIPv6 } from 'node:net'

/** The bytes of an address: 4 of IPv4, 16 of IPv6. IPv4 written as IPv6 (`::ffff:a.b.c.d`) is IPv4. */
export type AddressBytes = readonly number[]

/** All addresses of one family that begin with `prefix` bits of `bytes`. */
export interface AddressRange {
  readonly bytes: AddressBytes
  readonly prefix: number
}

const MAX_ADDRESS_CHARS = 45
const PREFIX = /^(?:0|[1-9]\d{0,2})$/
const DOTTED_TAIL = /:([^:]*\.[^:]*)$/
const MAPPED_BITS = 96
const MAX_KNOWN = 1024
const known = new Map<string, AddressBytes | null>()

/**
 * Reads an address strictly: four decimal numbers, or IPv6. Shortened, octal and hexadecimal IPv4, brackets, ports and
 * zone ids (`fe80::1%eth0`: a zone means something on one machine only) are no address.
 */
export function parseAddress(text: string): AddressBytes | null {
  if (text.length > MAX_ADDRESS_CHARS) return null
  // The same callers come again and again, and reading an address costs more than all else in a decision.
  const before = known.get(text)
  if (before !== undefined) return before
  const written = wireBytes(text)
  const bytes = written !== null && isMapped(written) ? written.slice(12) : written
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(text, bytes)
  return bytes
}

/**
 * Reads an address or a CIDR range.
 *
 * @returns the range, or what is wrong with it as the end of a sentence
 */
export function parseRange(text: string): AddressRange | string {
  const slash = text.indexOf('/')
  const bytes = wireBytes(slash === -1 ? text : text.slice(0, slash))
  if (bytes === null)
    return text.includes('%')
      ? 'has a zone id; leave it out'
      : "is neither an address nor a range such as '10.0.0.0/8' or '2001:db8::/32'"
  const bits = bytes.length * 8
  const written = slash === -1 ? String(bits) : text.slice(slash + 1)
  const prefix = Number(written)
  if (!PREFIX.test(written) || prefix > bits) return `needs a prefix length of 0 to ${bits}`
  if (!bytes.every((byte, i) => byte === (byte & maskOf(prefix, i))))
    return 'has bits set behind its prefix length; write the first address of the range'
  // Shorter than 96 bits it holds more than mapped addresses, and having no bits behind the prefix it cannot be one.
  if (!isMapped(bytes) || prefix < MAPPED_BITS) return { bytes, prefix }
  return { bytes: bytes.slice(12), prefix: prefix - MAPPED_BITS }
}

export function rangeHas(range: AddressRange, address: AddressBytes): boolean {
  const { bytes, prefix } = range
  if (bytes.length !== address.length) return false
  for (let i = 0; i * 8 < prefix; i += 1)
    if (((address[i] ?? 0) & maskOf(prefix, i)) !== bytes[i]) return false
  return true
}

/** Whether every address of `inner` is in `outer`. */
export function rangeCovers(outer: AddressRange, inner: AddressRange): boolean {
  return outer.prefix <= inner.prefix && rangeHas(outer, inner.bytes)
}

/** The bits of the byte at `index` that lie within the prefix. */
function maskOf(prefix: number, index: number): number {
  const within = Math.min(8, Math.max(0, prefix - index * 8))
  return (0xff << (8 - within)) & 0xff
}

function isMapped(bytes: AddressBytes): boolean {
  return (
    bytes.length === 16 &&
    bytes[10] === 0xff &&
    bytes[11] === 0xff &&
    bytes.every((byte, i) => i >= 10 || byte === 0)
  )
}

/** The bytes as written. Node's own check alone is more lenient than an access rule may be. */
function wireBytes(text: string): AddressBytes | null {
  if (text.length > MAX_ADDRESS_CHARS) return null
  if (isIPv4(text)) return text.split('.').map(Number)
  if (text.includes('%') || !isIPv6(text)) return null
  const tail = DOTTED_TAIL.exec(text)?.[1]
  if (tail === undefined) return groupBytes(text)
  // `::1.2.3.4` is an address of its own that others read as `::ffff:1.2.3.4`.
  if (!isIPv4(tail) || text === `::${tail}`) return null
  return [
    ...groupBytes(`${text.slice(0, -tail.length)}0:0`).slice(0, 12),
    ...(wireBytes(tail) ?? []),
  ]
}

/** @param text IPv6, checked, in groups of hexadecimal digits only */
function groupBytes(text: string): AddressBytes {
  const [before = '', after] = text.split('::')
  const left = groupsOf(before)
  const right = after === undefined ? [] : groupsOf(after)
  const between = Array.from({ length: 8 - left.length - right.length }, () => 0)
  return [...left, ...between, ...right].flatMap((group) => [group >> 8, group & 0xff])
}

function groupsOf(text: string): readonly number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
}

/** Whether an address, as a listener or a trusted proxy names it, is in a range that was read before. */
export function addressIn(range: string, address: string): boolean {
  const bytes = parseAddress(address)
  const read = parseRange(range)
  return bytes !== null && typeof read !== 'string' && rangeHas(read, bytes)
}

/** @returns what is wrong with a range as the end of a sentence, or null */
export function rangeProblem(range: string): string | null {
  const read = parseRange(range)
  return typeof read === 'string' ? read : null
}
