import type { ShareInfo } from '../core/share-port.ts'
import { toIso } from '../core/time.ts'
import type { Json, Output } from './command.ts'
import { instant, table } from './text.ts'

export function shareJson(share: ShareInfo): { readonly [name: string]: Json } {
  return {
    id: share.id,
    path: share.path,
    recipient_type: share.recipientType,
    recipient: share.recipient,
    email: share.email,
    state: share.state,
    has_passphrase: share.hasPassphrase,
    access_count: share.accessCount,
    max_access_count: share.maxAccessCount,
    expires_at: toIso(share.expiresAt),
    created_at: toIso(share.createdAt),
  }
}

export function shareTable(shares: readonly ShareInfo[], out: Pick<Output, 'paint'>): string {
  if (shares.length === 0) return 'Nothing is shared.'
  return table(
    ['ID', 'PATH', 'WITH', 'STATE', 'OPENED', 'UNTIL'],
    shares.map((share) => [
      share.id,
      share.path,
      share.recipient ?? share.email ?? 'anyone with the link',
      share.state,
      `${share.accessCount} of ${share.maxAccessCount ?? 'any number'}`,
      instant(share.expiresAt),
    ]),
    out,
  )
}
