import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * What an address is to somebody who connects to it:
 * `public` anybody's · `loopback` this machine · `private` this network (RFC 1918, 4193, 6598) · `metadata` the service
 * that hands out the machine's own credentials · `special` everything that no server of a name has: link-local,
 * multicast, unspecified, reserved, tunnels that carry an IPv4 address inside.
 */
export type AddressKind = 'public' | 'loopback' | 'private' | 'metadata' | 'special'

export type Address = ipaddr.IPv4 | ipaddr.IPv6
export type Range = readonly [Address, number]

/**
 * Where clouds answer with credentials. Some lie in ranges that are private or even public elsewhere, so they are listed:
 * AWS, Google, Azure, Oracle and OpenStack (169.254.169.254), ECS (169.254.170.2), EKS (169.254.170.23), Alibaba
 * (100.100.100.200), Azure's wire server (168.63.129.16), Oracle (192.0.0.192), AWS, EKS and Google on IPv6.
 */
const METADATA: ReadonlySet<string> = new Set([
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
])

/** RFC 6052: the prefix behind which a resolver of an IPv6-only network hides the whole of IPv4. */
const NAT64: Range = [ipaddr.parse('64:ff9b::'), 96]
const GLOBAL_UNICAST: Range = [ipaddr.parse('2000::'), 3]

/**
 * An address as resolvers and URLs write it, without the forms that only some readers understand (octal, hexadecimal,
 * fewer than four parts). An IPv4 address that is written as an IPv6 one comes back as what it is.
 */
export function parseAddress(text: string): Address | null {
  const family = isIP(text)
  if (family === 0) return null
  try {
    // URL writes IPv6 in one form; ipaddr.js would take `::10.0.0.1` for an IPv4-mapped address, which it is not.
    return ipaddr.process(family === 4 ? text : new URL(`http://[${text}]/`).hostname.slice(1, -1))
  } catch {
    // An interface's name behind the address (`fe80::1%eth0`): link-local, and no URL.
    return null
  }
}

/** `10.0.0.0/8`, or one address as a range of itself. */
export function parseRange(text: string): Range | null {
  const [base = '', bits, ...rest] = text.split('/')
  const address = parseAddress(base)
  if (address === null || rest.length > 0) return null
  const most = address.kind() === 'ipv4' ? 32 : 128
  if (bits === undefined) return [address, most]
  // An IPv4 range in IPv6 clothes would have to be counted in its own bits; nobody needs one.
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > most || base.includes(':') !== (most === 128))
    return null
  return [address, Number(bits)]
}

export function isWithin(address: Address, [base, bits]: Range): boolean {
  return address.kind() === base.kind() && address.match(base, bits)
}

export function addressKind(address: Address): AddressKind {
  if (METADATA.has(address.toString())) return 'metadata'
  return address instanceof ipaddr.IPv4 ? kindOfV4(address) : kindOfV6(address)
}

function kindOfV4(address: ipaddr.IPv4): AddressKind {
  switch (address.range()) {
    case 'unicast':
      return 'public'
    case 'loopback':
      return 'loopback'
    case 'private':
    case 'carrierGradeNat':
      return 'private'
    default:
      return 'special'
  }
}

function kindOfV6(address: ipaddr.IPv6): AddressKind {
  if (isWithin(address, NAT64)) {
    const inner = addressKind(new ipaddr.IPv4(address.toByteArray().slice(12)))
    // Nothing but public addresses belongs behind this prefix (RFC 6052 section 3.1).
    return inner === 'public' || inner === 'metadata' ? inner : 'special'
  }
  const range = address.range()
  if (range === 'loopback') return 'loopback'
  if (range === 'uniqueLocal') return 'private'
  const isPlain = range === 'unicast' && isWithin(address, GLOBAL_UNICAST)
  return isPlain && !isIsatap(address) ? 'public' : 'special'
}

/** RFC 5214: an IPv4 address as the interface of any prefix, behind 0000:5efe or 0200:5efe. */
function isIsatap({ parts }: ipaddr.IPv6): boolean {
  return (parts[4] === 0 || parts[4] === 0x200) && parts[5] === 0x5efe
}
