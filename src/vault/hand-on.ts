import { SecretText } from '../core/secret-text.ts'
import type { HandOn, SharePort } from '../core/share-port.ts'

/**
 * Shares with whole addresses, for tools that answer them.
 *
 * @param site where browsers find this server, without a trailing slash
 */
export function createHandOn(shares: Pick<SharePort, 'create'>, site: string): HandOn {
  return {
    async share(caller, target, request) {
      const { share, link } = await shares.create(caller, target, request)
      const { id, recipientType, email, expiresAt, maxAccessCount } = share
      const url = link === null ? `${site}/v1/share/${id}` : `${site}/share/${id}#${link.reveal()}`
      link?.wipe()
      return {
        id,
        url: SecretText.fromText(url),
        recipientType,
        email,
        expiresAt,
        maxAccessCount,
      }
    },
  }
}
