import { encodeFields } from '../core/fields.ts'
import { sha256 } from '../crypto/index.ts'

/**
 * The id of an audit event: records are known by their place in the tree, clients of the older API know UUIDs. It is
 * version 8 of RFC 9562, a hash of the organisation and the place.
 *
 * @param seq sequence number of the record, from 1
 */
export function eventId(orgId: string, seq: number): string {
  const bytes = Buffer.from(sha256(encodeFields(['audit-event', orgId, seq])).subarray(0, 16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
