import { createHash, createHmac } from 'node:crypto'
import { type EpochMs, toIso } from '../../core/time.ts'

export interface SigningScope {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
}

export interface SignedRequest {
  readonly method: string
  readonly url: URL
  /** Names in lower case. `host`, `x-amz-date` and `x-amz-content-sha256` are added. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/**
 * The headers of a request to S3 with its signature. The path must be written as it is sent.
 *
 * @see AWS, "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk (SigV4)"
 */
export function signS3(
  scope: SigningScope,
  { method, url, headers, body }: SignedRequest,
  at: EpochMs,
): Readonly<Record<string, string>> {
  const time = toIso(at).replaceAll(/[-:]|\.\d+/g, '')
  const day = time.slice(0, 8)
  const payload = createHash('sha256').update(body).digest('hex')
  const sent = { ...headers, 'x-amz-content-sha256': payload, 'x-amz-date': time }
  const all: readonly (readonly [string, string])[] = Object.entries({ ...sent, host: url.host })
    .map(([name, value]) => [name, value.trim().replaceAll(/ +/g, ' ')] as const)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
  const names = all.map(([name]) => name).join(';')
  const canonical = [
    method,
    url.pathname,
    canonicalQuery(url.searchParams),
    ...all.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    payload,
  ].join('\n')
  const place = `${day}/${scope.region}/s3/aws4_request`
  const hash = createHash('sha256').update(canonical).digest('hex')
  const text = ['AWS4-HMAC-SHA256', time, place, hash].join('\n')
  const signature = mac(signingKey(scope, day), text).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${scope.accessKeyId}/${place},SignedHeaders=${names},Signature=${signature}`
  return { ...sent, authorization }
}

/** A segment of a path or a query as S3 encodes it: everything but unreserved characters, RFC 3986 section 2.3. */
export function encodeS3(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .map(([name, value]) => `${encodeS3(name)}=${encodeS3(value)}`)
    .toSorted()
    .join('&')
}

function signingKey({ secretAccessKey, region }: SigningScope, day: string): Buffer {
  return mac(mac(mac(mac(`AWS4${secretAccessKey}`, day), region), 's3'), 'aws4_request')
}

function mac(key: string | Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
