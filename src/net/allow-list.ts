import { Fault } from '../core/faults.ts'
import { type Address, isWithin, parseRange, type Range } from './addresses.ts'

interface HostEntry {
  /** As a URL writes it: lower case, IDNA in ASCII. */
  readonly host: string
  readonly hasSubdomains: boolean
  /** `null` for any. */
  readonly port: string | null
}

/** What the person who runs the program says may be reached although it is not public. */
export interface AllowList {
  /** A host or origin entry names it: it may be at loopback and private addresses. */
  namesHost(url: URL): boolean
  /** An origin entry of the form `http://host:port` names it. */
  permitsPlainHttp(url: URL): boolean
  /** An address or range entry holds it. */
  namesAddress(address: Address): boolean
  /** An entry is this address and no other. */
  isNamedAlone(address: Address): boolean
}

/** The host of a URL without the root's dot: both forms are one name. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/\.$/, '')
}

function portOf(url: URL): string {
  return url.port === '' ? (url.protocol === 'http:' ? '80' : '443') : url.port
}

function originOf(url: URL): string {
  return `${url.protocol}//${hostOf(url)}:${portOf(url)}`
}

/**
 * @param entries `10.0.0.0/8`, `192.168.1.7`, `idp.lan`, `idp.lan:8443`, `*.corp.lan`, `https://idp.lan:8443`, and for
 *   plain HTTP `http://idp.lan:8080`
 * @throws {Fault} `BAD_INPUT` naming the entry that is none of these
 */
export function parseAllowList(entries: readonly string[]): AllowList {
  const ranges: Range[] = []
  const hosts: HostEntry[] = []
  const origins = new Set<string>()
  for (const entry of entries) {
    const range = parseRange(entry.replace(/^\[(.*)\]$/, '$1'))
    if (range !== null) ranges.push(range)
    else if (entry.includes('://')) origins.add(parseOrigin(entry))
    else hosts.push(parseHost(entry))
  }
  return {
    namesHost: (url) =>
      origins.has(originOf(url)) || hosts.some((one) => isNamedBy(one, hostOf(url), portOf(url))),
    permitsPlainHttp: (url) => url.protocol === 'http:' && origins.has(originOf(url)),
    namesAddress: (address) => ranges.some((range) => isWithin(address, range)),
    isNamedAlone: (address) =>
      ranges.some(
        ([base, bits]) =>
          bits === base.toByteArray().length * 8 && base.toString() === address.toString(),
      ),
  }
}

function isNamedBy({ host, hasSubdomains, port }: HostEntry, name: string, at: string): boolean {
  if (port !== null && port !== at) return false
  return hasSubdomains ? name.endsWith(`.${host}`) : name === host
}

function parseOrigin(entry: string): string {
  const url = URL.canParse(entry) && !entry.includes('*') ? new URL(entry) : null
  const isPlain =
    url !== null &&
    (url.protocol === 'https:' || url.protocol === 'http:') &&
    `${url.pathname}${url.search}${url.hash}${url.username}${url.password}` === '/'
  if (!isPlain) throw notAnEntry(entry)
  return originOf(url)
}

function parseHost(entry: string): HostEntry {
  const hasSubdomains = entry.startsWith('*.')
  const text = hasSubdomains ? entry.slice(2) : entry
  const port = /:(\d{1,5})$/.exec(text)?.[1] ?? null
  if (!/^[^\s/?#@*\\]+$/.test(text) || !URL.canParse(`https://${text}/`)) throw notAnEntry(entry)
  const url = new URL(`https://${text}/`)
  return { host: hostOf(url), hasSubdomains, port: port === null ? null : portOf(url) }
}

function notAnEntry(entry: string): Fault {
  return new Fault(
    'BAD_INPUT',
    `SALLYPORT_NET_ALLOW holds '${entry}', which is no address, range, host or origin.`,
    { details: { field: 'SALLYPORT_NET_ALLOW' } },
  )
}
