import { Fault } from '../core/faults.ts'
import { type AddressKind, addressKind, parseAddress } from './addresses.ts'
import type { AllowList } from './allow-list.ts'

/**
 * Who named the URL. `configured`: the person who runs this process, in a file, a setting or on the command line: its
 * origin may be on this machine or in this network. `public`: anybody else; only what the allow list names is excepted.
 */
export type Audience = 'public' | 'configured'

/** The origin alone: paths and queries may hold secrets and stand in no error. */
export function originText(url: URL): string {
  return url.origin
}

export function refused(url: URL, why: string): Fault {
  return new Fault('NET_REFUSED', `${originText(url)} ${why}.`, {
    details: { origin: originText(url) },
  })
}

/** @throws {Fault} `BAD_INPUT` when the text is no absolute URL; the text is not repeated */
export function parseTarget(text: string | URL, base?: URL): URL {
  try {
    return new URL(text, base)
  } catch (cause) {
    throw new Fault('BAD_INPUT', 'What is to be requested is not a URL.', { cause })
  }
}

/** What can be said before the name is resolved. @throws {Fault} `NET_REFUSED` */
export function checkUrl(url: URL, audience: Audience, allow: AllowList): void {
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new Fault('NET_REFUSED', 'Only https URLs are requested.')
  if (url.username !== '' || url.password !== '')
    throw refused(url, 'was named with a user or password in the URL')
  if (url.protocol === 'http:' && audience === 'public' && !allow.permitsPlainHttp(url))
    throw refused(url, 'would be asked without TLS')
}

const KINDS: Readonly<Record<Exclude<AddressKind, 'public'>, string>> = {
  loopback: 'this machine itself',
  private: 'a private address',
  metadata: 'the metadata service of the machine',
  special: 'an address that no server has',
}

/**
 * Judges every address that a name resolved to. One that may not be reached refuses them all: a name that mixes both
 * kinds is set up to be asked again until the other one comes.
 *
 * @param url whose origin is to be reached
 * @throws {Fault} `NET_REFUSED`
 */
export function checkAddresses(
  url: URL,
  addresses: readonly string[],
  audience: Audience,
  allow: AllowList,
): void {
  const isNamed = audience === 'configured' || allow.namesHost(url)
  const isPlain = url.protocol === 'http:' && !allow.permitsPlainHttp(url)
  for (const text of addresses) {
    const address = parseAddress(text)
    if (address === null) throw refused(url, 'has an address that cannot be read')
    const kind = addressKind(address)
    if (isPlain && kind !== 'loopback')
      throw refused(url, 'is not this machine and would be asked without TLS')
    if (kind === 'public') continue
    const isAllowed =
      kind === 'metadata'
        ? allow.isNamedAlone(address)
        : allow.namesAddress(address) || (isNamed && kind !== 'special')
    if (!isAllowed) throw refused(url, `is at ${KINDS[kind]}`)
  }
}
