import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Fault } from '../core/faults.ts'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,20000}-----END CERTIFICATE-----/g
const MAX_BYTES = 4 * 1024 * 1024

/**
 * The certificates in a PEM file. Each is read here, because TLS passes over what it does not understand, and trust that
 * is quietly missing is found when it is needed.
 *
 * @throws {Fault} `BAD_INPUT` when the file cannot be read, holds none, or one that is no authority's
 */
export async function authoritiesIn(file: string | null): Promise<readonly string[]> {
  if (file === null) return []
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    throw unusable(file, 'cannot be read', cause)
  }
  if (text.length > MAX_BYTES) throw unusable(file, 'is larger than 4 MiB')
  const found = text.match(CERTIFICATE) ?? []
  if (found.length === 0) throw unusable(file, 'holds no certificate')
  if (found.length !== text.split('-----BEGIN CERTIFICATE-----').length - 1)
    throw unusable(file, 'holds a certificate that cannot be read')
  for (const [index, pem] of found.entries()) {
    let isAuthority: boolean
    try {
      isAuthority = new X509Certificate(pem).ca
    } catch (cause) {
      throw unusable(file, `holds a certificate that cannot be read: number ${index + 1}`, cause)
    }
    if (!isAuthority)
      throw unusable(file, `holds a certificate that is no authority's: number ${index + 1}`)
  }
  return found
}

function unusable(file: string, what: string, cause?: unknown): Fault {
  return new Fault('BAD_INPUT', `The file of authorities '${file}' ${what}.`, {
    ...(cause === undefined ? {} : { cause }),
    details: { field: 'SALLYPORT_NET_CA', remedy: 'name a PEM file of CA certificates' },
  })
}
