import type { Origin, RequestProof } from '../core/identity-port.ts'
import type { Call } from './operation.ts'

type Asked = Pick<Call, 'address' | 'scheme' | 'method' | 'target' | 'header'>

/** Where a request came from, and what came with it to prove that its sender holds a key. */
export function originOf(asked: Asked): Origin {
  const proof = proofOf(asked)
  const { address } = asked
  return proof === null ? { address, channel: 'http' } : { address, channel: 'http', proof }
}

/** The server as its client named it, without a path. */
export function siteOf({ scheme, header }: Pick<Asked, 'scheme' | 'header'>): string {
  return `${scheme}://${header('host') ?? 'localhost'}`
}

function proofOf(asked: Asked): RequestProof | null {
  const jwt = asked.header('dpop')
  const isBound = /^DPoP /i.test(asked.header('authorization') ?? '')
  if (jwt === null && !isBound) return null
  const path = asked.target.split('?', 1)[0] ?? ''
  return {
    jwt: jwt ?? '',
    method: asked.method,
    url: `${siteOf(asked)}${path}`,
    scheme: isBound ? 'DPoP' : 'Bearer',
  }
}
