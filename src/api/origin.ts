import { isLoopbackAddress } from '../ask/index.ts'
import type { Origin, RequestProof } from '../core/identity-port.ts'
import type { Call } from './operation.ts'

type Asked = Pick<Call, 'address' | 'site' | 'method' | 'target' | 'header'>

/** Where a request came from, and what came with it to prove that its sender holds a key. */
export function originOf(asked: Asked): Origin {
  const proof = proofOf(asked)
  const { address } = asked
  return proof === null ? { address, channel: 'http' } : { address, channel: 'http', proof }
}

const LOCAL = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i

/**
 * The server as its client named it, without a path. Where it has a name of its own, another one counts on this machine
 * alone: a proof that was made for somebody else's server must not become one for this because its thief says so.
 *
 * @param own where browsers find the server, or null where nobody has said
 */
export function siteOf(
  { scheme, address, header }: Pick<Call, 'scheme' | 'address' | 'header'>,
  own: string | null,
): string {
  const named = `${scheme}://${header('host') ?? 'localhost'}`
  return own === null || (LOCAL.test(named) && isLoopbackAddress(address)) ? named : own
}

function proofOf(asked: Asked): RequestProof | null {
  const jwt = asked.header('dpop')
  const isBound = /^DPoP /i.test(asked.header('authorization') ?? '')
  if (jwt === null && !isBound) return null
  const path = asked.target.split('?', 1)[0] ?? ''
  return {
    jwt: jwt ?? '',
    method: asked.method,
    url: `${asked.site}${path}`,
    scheme: isBound ? 'DPoP' : 'Bearer',
  }
}
