import { lookup as systemLookup } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import { getCACertificates } from 'node:tls'
import type { buildConnector } from 'undici'
import type { AllowList } from './allow-list.ts'
import { type Audience, checkAddresses, checkUrl } from './rules.ts'

export interface Resolved {
  readonly address: string
  readonly family: 4 | 6
}

/** All addresses of a name. */
export type Lookup = (host: string) => Promise<readonly Resolved[]>

/** How the system resolves, with its hosts file: the same answer other programs here get. */
export const resolveBySystem: Lookup = async (host) => {
  const found = await systemLookup(host, { all: true, order: 'verbatim' })
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))
}

export interface DialOptions {
  readonly allow: AllowList
  readonly lookup: Lookup
  /** PEM; trusted beside what the system and NODE_EXTRA_CA_CERTS trust. */
  readonly ca: readonly string[]
  /** For name, TCP and TLS of one connection. */
  readonly connectMs: number
}

type Build = typeof buildConnector

/**
 * Opens connections for one audience: the name is resolved once, all its addresses are judged, and the socket is given
 * exactly these to choose from. What the name says a moment later is nobody's concern (DNS rebinding). The name stays in
 * SNI, in the certificate check and in Host.
 */
export function dialer(
  build: Build,
  audience: Audience,
  options: DialOptions,
): buildConnector.connector {
  const { allow, lookup, ca, connectMs } = options
  const trusted = ca.length === 0 ? {} : { ca: [...getCACertificates('default'), ...ca] }
  return (target, done) => {
    const { protocol, host, hostname } = target
    const url = new URL(`${protocol}//${host ?? hostname}/`)
    const open = async (): Promise<void> => {
      try {
        const found = await judged(url, hostname)
        connect(found)(target, done)
      } catch (error) {
        done(error instanceof Error ? error : new NameError(), null)
      }
    }
    void open()
  }

  async function judged(url: URL, hostname: string): Promise<readonly Resolved[]> {
    checkUrl(url, audience, allow)
    const family = isIP(hostname)
    const found: readonly Resolved[] =
      family === 0
        ? await within(connectMs, lookup(hostname))
        : [{ address: hostname, family: family === 6 ? 6 : 4 }]
    if (found.length === 0) throw new NameError()
    checkAddresses(
      url,
      found.map(({ address }) => address),
      audience,
      allow,
    )
    return found
  }

  function connect(found: readonly Resolved[]): buildConnector.connector {
    return build({
      ...trusted,
      allowH2: false,
      autoSelectFamily: true,
      lookup: pinnedTo(found),
      maxCachedSessions: 0,
      minVersion: 'TLSv1.2',
      // NODE_TLS_REJECT_UNAUTHORIZED of somebody's shell does not reach these connections.
      rejectUnauthorized: true,
      timeout: connectMs,
    })
  }
}

/** A name without addresses, in the form in which the system's resolver says it. */
class NameError extends Error {
  readonly code = 'ENOTFOUND'
}

class NameTimeout extends Error {
  readonly code = 'ETIMEDOUT'
}

function pinnedTo(found: readonly Resolved[]): LookupFunction {
  return (_host, { all }, done) => {
    const [first] = found
    if (all === true) done(null, [...found])
    else if (first !== undefined) done(null, first.address, first.family)
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new NameTimeout()), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
