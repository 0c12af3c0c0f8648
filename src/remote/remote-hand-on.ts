import * as z from 'zod'
import { Fault } from '../core/faults.ts'
import type { Caller } from '../core/principals.ts'
import { SecretText } from '../core/secret-text.ts'
import {
  type HandedOn,
  type HandOn,
  SHARE_RECIPIENTS,
  type ShareRequest,
  type ShareTarget,
} from '../core/share-port.ts'
import { parseInstant, toIso } from '../core/time.ts'
import type { VaultPort } from '../core/vault-port.ts'
import type { Connection } from './connection.ts'

const answer = z.object({
  id: z.string(),
  share_url: z.string(),
  recipient_type: z.enum(SHARE_RECIPIENTS),
  recipient_email: z.string().nullish(),
  expires_at: z.string(),
  max_access_count: z.int().nullish(),
})

/** Shares at a server of the 1claw API, which knows secrets to share by their ids alone. */
export class RemoteHandOn implements HandOn {
  readonly #connection: Connection
  readonly #vault: Pick<VaultPort, 'describe'>

  constructor(connection: Connection, vault: Pick<VaultPort, 'describe'>) {
    this.#connection = connection
    this.#vault = vault
  }

  async share(caller: Caller, target: ShareTarget, request: ShareRequest): Promise<HandedOn> {
    if (request.passphrase !== undefined)
      throw new Fault('UNSUPPORTED', 'A passphrase is given where the server is, not from here.', {
        details: { field: 'passphrase' },
      })
    const id =
      'path' in target
        ? (await this.#vault.describe(caller, target.vault, target.path)).id
        : target.secretId
    const body = JSON.stringify({
      recipient_type: request.recipientType,
      recipient_id: request.recipientId,
      email: request.email,
      expires_at: toIso(request.expiresAt),
      max_access_count: request.maxAccessCount ?? undefined,
      ip_allowlist: request.ipAllowlist,
    })
    const path = `/v1/secrets/${encodeURIComponent(id)}/share`
    const read = answer.safeParse(await this.#connection.ask({ method: 'POST', path, body }))
    const expiresAt = read.success ? parseInstant(read.data.expires_at) : null
    if (!read.success || expiresAt === null)
      throw new Fault('NET_FAILED', 'The server answered with something that is no share.')
    return {
      id: read.data.id,
      url: SecretText.fromText(read.data.share_url),
      recipientType: read.data.recipient_type,
      email: read.data.recipient_email ?? null,
      expiresAt,
      maxAccessCount: read.data.max_access_count ?? null,
    }
  }
}
