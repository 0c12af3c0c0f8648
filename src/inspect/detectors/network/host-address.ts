/** Where an address leads. `metadata` hands out credentials of the machine to whoever asks. */
export type Reach = 'metadata' | 'loopback' | 'link-local' | 'private' | 'public'

export interface HostAddress {
  readonly reach: Reach
  /** Written so that a list of forbidden addresses does not recognise it. */
  readonly isDisguised: boolean
}

/** Sources: AWS, Alibaba Cloud, Oracle Cloud and Azure documentation of instance metadata. */
const METADATA = new Set([
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
])

const DOTTED = /^(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}$/

function reachOfV4(address: string): Reach {
  if (METADATA.has(address)) return 'metadata'
  const [first = 0, second = 0] = address.split('.').map(Number)
  if (first === 127 || first === 0) return 'loopback'
  if (first === 169 && second === 254) return 'link-local'
  if (first === 10 || (first === 192 && second === 168)) return 'private'
  if (first === 172 && second >= 16 && second <= 31) return 'private'
  return first === 100 && second >= 64 && second <= 127 ? 'private' : 'public'
}

/** The IPv4 address inside `::ffff:a:b`, `::a:b` or `64:ff9b::a:b`, as the URL parser prints them. */
function innerV4(address: string): string | null {
  const match = /^(?:::ffff:|::|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address)
  if (match === null) return null
  const high = Number.parseInt(match[1] ?? '0', 16)
  const low = Number.parseInt(match[2] ?? '0', 16)
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}

function reachOfV6(address: string): Reach {
  if (METADATA.has(address)) return 'metadata'
  if (address === '::' || address === '::1') return 'loopback'
  const inner = innerV4(address)
  if (inner !== null) return reachOfV4(inner)
  if (/^fe[89ab]/.test(address)) return 'link-local'
  return /^f[cd]/.test(address) ? 'private' : 'public'
}

/** As the WHATWG URL parser reads a host: decimal, octal, hexadecimal, short, full-width and circled forms. */
function canonicalHost(host: string): string | null {
  try {
    return new URL(`http://${host}/`).hostname
  } catch {
    return null
  }
}

/**
 * The address a host stands for, in any notation a resolver takes; null for a name.
 *
 * @param host - without port and user, brackets around IPv6 kept
 * @see WHATWG URL section 3.5, RFC 4291, RFC 6890
 */
export function addressOf(host: string): HostAddress | null {
  if (host.startsWith('[')) {
    const zone = host.indexOf('%')
    const bare = zone === -1 || !host.endsWith(']') ? host : `${host.slice(0, zone)}]`
    const canonical = canonicalHost(bare)?.slice(1, -1) ?? null
    if (canonical === null) return null
    const reach = reachOfV6(canonical)
    const isDisguised = innerV4(canonical) !== null && reach !== 'public'
    return { reach, isDisguised: isDisguised || bare !== host }
  }
  if (DOTTED.test(host)) {
    return host.split('.').every((part) => Number(part) <= 255)
      ? { reach: reachOfV4(host), isDisguised: false }
      : null
  }
  const canonical = canonicalHost(host)
  if (canonical === null) return null
  if (canonical === 'localhost' && !/^localhost$/i.test(host)) {
    return { reach: 'loopback', isDisguised: true }
  }
  return DOTTED.test(canonical) ? { reach: reachOfV4(canonical), isDisguised: true } : null
}
