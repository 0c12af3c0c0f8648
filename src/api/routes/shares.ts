import * as z from 'zod'
import { Fault } from '../../core/faults.ts'
import { SecretText } from '../../core/secret-text.ts'
import type {
  MadeShare,
  SharedRead,
  ShareInfo,
  SharePort,
  ShareRequest,
  ShareTarget,
} from '../../core/share-port.ts'
import { type EpochMs, toIso } from '../../core/time.ts'
import { AWAITING } from '../awaiting.ts'
import {
  createShareSchema,
  madeShareSchema,
  sharedSecretSchema,
  shareItemSchema,
} from '../contract/sharing.ts'
import { type Answered, type Call, type Operation, operation } from '../operation.ts'
import { madeBy, momentFrom } from './moments.ts'

export interface ShareRouteParts {
  readonly shares: SharePort
  /** Where browsers find this server, or null: as the request names it. */
  readonly site: string | null
  readonly now: () => EpochMs
}

const NONE = { 404: { description: 'There is none, or none for this caller.' } }
const REFUSED = {
  403: { description: 'The path may not be read or shared, or a person must approve.' },
  404: { description: 'Nothing is there.' },
  410: { description: 'Expired, disabled or read as often as it may be.' },
}
const OPENED = {
  200: { description: 'The value.', schema: sharedSecretSchema },
  402: { description: 'The quota is spent.' },
  403: { description: 'The passphrase is missing or wrong, or the address is not listed.' },
  404: { description: 'There is none, or it was revoked.' },
  410: { description: 'Expired or opened as often as it may be.' },
  429: { description: 'Too many attempts.' },
}

/** Handing secrets on, and reading what was handed on. */
export function shareOperations(parts: ShareRouteParts): readonly Operation[] {
  return [...making(parts), ...reading(parts), ...settling(parts)]
}

function making(parts: ShareRouteParts): readonly Operation[] {
  const create = async (
    call: Call<unknown, z.output<typeof createShareSchema>>,
    target: ShareTarget,
  ): Promise<Answered> => {
    const wanted = requestFrom(call.body)
    try {
      const made = await parts.shares.create(call.caller, target, wanted)
      return { status: 201, body: madeFields(made, parts.site ?? siteOf(call)) }
    } finally {
      wanted.passphrase?.wipe()
    }
  }
  const answers = {
    201: { description: 'Shared.', schema: madeShareSchema },
    202: AWAITING,
    ...REFUSED,
  }
  return [
    operation({
      id: 'shareSecret',
      method: 'POST',
      path: '/v1/secrets/{secret}/share',
      tag: 'shares',
      summary: 'Shares a secret by its id.',
      body: createShareSchema,
      withheld: ['share_url'],
      answers,
      handle: (call) => create(call, { secretId: call.params['secret'] ?? '' }),
    }),
    operation({
      id: 'shareSecretByPath',
      method: 'POST',
      path: '/v1/vaults/{vault}/secret-share/{path}',
      tag: 'shares',
      summary: 'Shares a secret by its path.',
      body: createShareSchema,
      withheld: ['share_url'],
      answers,
      handle: (call) =>
        create(call, { vault: call.params['vault'] ?? '', path: call.params['path'] ?? '' }),
    }),
  ]
}

function reading({ shares }: ShareRouteParts): readonly Operation[] {
  return [
    operation({
      id: 'readShare',
      method: 'GET',
      path: '/v1/share/{id}',
      tag: 'shares',
      summary: 'The value of a share, for its recipient by his own credential.',
      headers: { 'X-Share-Passphrase': 'Of a share that asks for one.' },
      answers: OPENED,
      async handle(call) {
        const given = call.header('x-share-passphrase')
        const passphrase = given === null ? undefined : SecretText.fromText(given)
        try {
          return sharedAnswer(await shares.read(call.caller, call.params['id'] ?? '', passphrase))
        } finally {
          passphrase?.wipe()
        }
      },
    }),
    operation({
      id: 'openShare',
      method: 'POST',
      path: '/v1/share/{id}/open',
      tag: 'shares',
      summary: 'The value of a share, for whoever has the link. Nothing else opens or spends one.',
      isPublic: true,
      body: z.object({
        secret: z.string().max(256).describe('What stands behind the # of the link.'),
        passphrase: z.string().nullish(),
      }),
      withheld: ['value'],
      answers: OPENED,
      async handle(call) {
        const link = SecretText.fromText(call.body.secret)
        const given = call.body.passphrase ?? null
        const passphrase = given === null ? undefined : SecretText.fromText(given)
        const opener = { address: call.address, channel: 'http' } as const
        try {
          return sharedAnswer(await shares.open(call.params['id'] ?? '', link, opener, passphrase))
        } finally {
          link.wipe()
          passphrase?.wipe()
        }
      },
    }),
  ]
}

function settling({ shares, now }: ShareRouteParts): readonly Operation[] {
  const idOf = ({ params }: Call): string => params['id'] ?? ''
  const list = z.object({ shares: z.array(shareItemSchema) })
  const item = { 200: { description: 'As it stands now.', schema: shareItemSchema }, ...NONE }
  return [
    operation({
      id: 'listSharesOutbound',
      method: 'GET',
      path: '/v1/shares/outbound',
      tag: 'shares',
      summary: 'What the caller shared, the newest first.',
      answers: { 200: { description: 'Without values.', schema: list } },
      async handle({ caller }) {
        const all = await shares.outbound(caller)
        return { status: 200, body: { shares: all.map((one) => itemFields(one, now())) } }
      },
    }),
    operation({
      id: 'listSharesInbound',
      method: 'GET',
      path: '/v1/shares/inbound',
      tag: 'shares',
      summary: 'What is shared with the caller, the newest first.',
      answers: { 200: { description: 'Without values.', schema: list } },
      async handle({ caller }) {
        const all = await shares.inbound(caller)
        return { status: 200, body: { shares: all.map((one) => itemFields(one, now())) } }
      },
    }),
    operation({
      id: 'acceptShare',
      method: 'POST',
      path: '/v1/shares/{id}/accept',
      tag: 'shares',
      summary: 'Accepts a share. Reading it does so, too.',
      answers: item,
      handle: async (call) => ({
        status: 200,
        body: itemFields(await shares.accept(call.caller, idOf(call)), now()),
      }),
    }),
    operation({
      id: 'declineShare',
      method: 'POST',
      path: '/v1/shares/{id}/decline',
      tag: 'shares',
      summary: 'Declines a share for good.',
      answers: item,
      handle: async (call) => ({
        status: 200,
        body: itemFields(await shares.decline(call.caller, idOf(call)), now()),
      }),
    }),
    operation({
      id: 'revokeShare',
      method: 'DELETE',
      path: '/v1/share/{id}',
      tag: 'shares',
      summary: 'Revokes a share: from now on there is none.',
      answers: { 204: { description: 'Revoked.' }, ...NONE },
      async handle(call) {
        await shares.revoke(call.caller, idOf(call))
        return { status: 204 }
      },
    }),
  ]
}

function requestFrom(body: z.output<typeof createShareSchema>): ShareRequest {
  return {
    recipientType: body.recipient_type,
    expiresAt: momentFrom('expires_at', body.expires_at),
    maxAccessCount: body.max_access_count ?? null,
    ...(typeof body.recipient_id === 'string' ? { recipientId: body.recipient_id } : {}),
    ...(typeof body.email === 'string' ? { email: body.email } : {}),
    ...(Array.isArray(body.ip_allowlist) ? { ipAllowlist: body.ip_allowlist } : {}),
    ...(typeof body.passphrase === 'string'
      ? { passphrase: SecretText.fromText(body.passphrase) }
      : {}),
  }
}

function madeFields({ share, link }: MadeShare, site: string) {
  const { id } = share
  return {
    id,
    share_url: link === null ? `${site}/v1/share/${id}` : `${site}/share/${id}#${link.reveal()}`,
    recipient_type: share.recipientType,
    recipient_email: share.email,
    expires_at: toIso(share.expiresAt),
    max_access_count: share.maxAccessCount,
  }
}

/** The name by which the client reached this server; it is told to nobody but that client. */
function siteOf(call: Call<unknown, unknown>): string {
  const host = call.header('host') ?? ''
  if (!/^(?:[\w.-]{1,253}|\[[0-9a-f:]{2,45}\])(?::\d{1,5})?$/i.test(host))
    throw new Fault('BAD_INPUT', 'The Host header names no host.', { details: { field: 'host' } })
  return `${call.scheme}://${host}`
}

function sharedAnswer({ share, info, value }: SharedRead): Answered {
  try {
    const isText = value.isUtf8()
    return {
      status: 200,
      body: {
        id: share.id,
        path: share.path,
        type: info.type,
        version: info.version,
        value: isText ? value.reveal() : Buffer.from(value.revealBytes()).toString('base64'),
        encoding: isText ? 'utf8' : 'base64',
        access_count: share.accessCount,
        max_access_count: share.maxAccessCount,
        expires_at: toIso(share.expiresAt),
      },
    }
  } finally {
    value.wipe()
  }
}

function itemFields(share: ShareInfo, at: EpochMs) {
  const [kind, id] = (share.recipient ?? '').split(':')
  return {
    id: share.id,
    vault_id: share.vaultId,
    secret_id: share.secretId,
    secret_path: share.path,
    recipient_type: share.recipientType,
    recipient_id: kind === 'user' || kind === 'agent' ? (id ?? null) : null,
    recipient_email: share.email,
    state: share.state,
    has_passphrase: share.hasPassphrase,
    access_count: share.accessCount,
    max_access_count: share.maxAccessCount,
    expires_at: toIso(share.expiresAt),
    created_at: toIso(share.createdAt),
    ...madeBy(share.createdBy),
    is_expired: share.expiresAt <= at,
    is_accepted: share.acceptedAt !== null,
  }
}
