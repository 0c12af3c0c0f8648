import { toIso } from '../core/time.ts'
import type { PutRequest } from '../core/vault-port.ts'

/** The one place where a value leaves for the server: as text, or in base64 when it is not. */
export function putBody(
  request: Pick<PutRequest, 'value' | 'type' | 'metadata' | 'expiresAt' | 'maxAccessCount'>,
): string {
  const { value, type, metadata, expiresAt, maxAccessCount } = request
  const isText = value.isUtf8()
  return JSON.stringify({
    value: isText ? value.reveal() : Buffer.from(value.revealBytes()).toString('base64'),
    ...(isText ? {} : { encoding: 'base64' }),
    ...(type === undefined ? {} : { type }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiresAt === undefined || expiresAt === null ? {} : { expires_at: toIso(expiresAt) }),
    ...(maxAccessCount === undefined || maxAccessCount === null
      ? {}
      : { max_access_count: maxAccessCount }),
  })
}
