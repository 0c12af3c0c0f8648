// Certificates for tests, made when they run: an authority and servers that it vouches for (X.509 v3, P-256).
import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import { isIPv4 } from 'node:net'

export interface Authority {
  /** PEM. */
  readonly cert: string
  readonly name: string
  readonly key: KeyObject
}

export interface ServerCertificate {
  /** PEM. */
  readonly cert: string
  /** PEM, PKCS #8. */
  readonly key: string
}

const DAY_MS = 86_400_000
const OID = {
  ecdsaSha256: '06082a8648ce3d040302',
  commonName: '0603550403',
  basicConstraints: '0603551d13',
  subjectAltName: '0603551d11',
  keyUsage: '0603551d0f',
} as const

function der(tag: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)),
  )
  const size = body.byteLength
  const length =
    size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, Math.floor(size / 256), size % 256]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

const sequence = (...parts: readonly (Buffer | string)[]): Buffer => der(0x30, ...parts)

function distinguishedName(name: string): Buffer {
  return sequence(der(0x31, sequence(OID.commonName, der(0x0c, Buffer.from(name)))))
}

function time(at: Date): Buffer {
  const text = at.toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return der(0x18, Buffer.from(text))
}

function extension(oid: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(oid, isCritical ? '0101ff' : '', der(0x04, value))
}

function certificate(
  issuer: { readonly name: string; readonly key: KeyObject },
  subject: string,
  publicKey: KeyObject,
  extensions: readonly Buffer[],
  from: Date,
): string {
  const algorithm = sequence(OID.ecdsaSha256)
  const body = sequence(
    der(0xa0, '020102'),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    distinguishedName(issuer.name),
    sequence(time(from), time(new Date(from.getTime() + 30 * DAY_MS))),
    distinguishedName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  )
  const signature = sign('sha256', body, issuer.key)
  const all = sequence(body, algorithm, der(0x03, '00', signature))
  const lines = all.toString('base64').replaceAll(/.{1,64}/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`
}

export function authority(name = 'Sallyport Test Authority'): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const cert = certificate(
    { name, key: privateKey },
    name,
    publicKey,
    [
      extension(OID.basicConstraints, true, sequence('0101ff')),
      extension(OID.keyUsage, true, Buffer.from('03020106', 'hex')),
    ],
    new Date(Date.now() - DAY_MS),
  )
  return { cert, name, key: createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })) }
}

/** @param names DNS names and IPv4 addresses; `from` is the first day of thirty */
export function certificateFor(
  by: Authority,
  names: readonly string[],
  from: Date = new Date(Date.now() - DAY_MS),
): ServerCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const alternatives = names.map((name) =>
    isIPv4(name)
      ? der(0x87, Buffer.from(name.split('.').map(Number)))
      : der(0x82, Buffer.from(name)),
  )
  const cert = certificate(
    by,
    names[0] ?? 'server',
    publicKey,
    [extension(OID.subjectAltName, false, sequence(...alternatives))],
    from,
  )
  return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}
