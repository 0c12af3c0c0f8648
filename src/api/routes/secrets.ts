import * as z from 'zod'
import { Fault } from '../../core/faults.ts'
import { principalName } from '../../core/principals.ts'
import { SecretText } from '../../core/secret-text.ts'
import { toIso } from '../../core/time.ts'
import type { SecretInfo, StoredVersion, VaultPort } from '../../core/vault-port.ts'
import { AWAITING } from '../awaiting.ts'
import {
  charsetSchema,
  instant,
  metadataSchema,
  secretSchema,
  secretTypeSchema,
  secretValueSchema,
  storedSchema,
  versionSchema,
} from '../contract/schemas.ts'
import type { Cursors } from '../cursor.ts'
import { type Answered, type Call, type Operation, operation } from '../operation.ts'
import { isoOrNull, optionalMoment } from './moments.ts'
import { listedFields, secretFields, versionFields } from './secret-view.ts'

const NOT_THERE = {
  403: {
    description: 'No policy allows it, whether the path exists or not, or a person must approve.',
  },
  404: { description: 'Nothing is there.' },
}
const SPENT = { 410: { description: 'Expired, disabled or read as often as it may be.' } }
const CONFLICT = { 412: { description: 'The current version is not the one named by If-Match.' } }

const purpose = z
  .enum(['read', 'use'])
  .optional()
  .describe('use: the value goes where the agent does not see it; judged by that permission.')

const putBody = z.object({
  value: z.string(),
  encoding: z.enum(['utf8', 'base64']).optional(),
  type: secretTypeSchema.optional(),
  metadata: metadataSchema.nullish(),
  expires_at: instant.nullish(),
  max_access_count: z.int().nullish(),
})

const rotateBody = z.object({
  length: z.int().optional(),
  charset: charsetSchema.optional(),
  value: z.string().optional().describe('A value to store instead of one made here.'),
})

interface At {
  readonly vault: string
  readonly path: string
}

function at({ params }: Call): At {
  return { vault: params['vault'] ?? '', path: params['path'] ?? '' }
}

/** Secrets, their values and their versions. */
export function secretOperations(vault: VaultPort, cursors: Cursors): readonly Operation[] {
  return [...listing(vault, cursors), ...values(vault), ...changes(vault), ...versions(vault)]
}

function listing(vault: VaultPort, cursors: Cursors): readonly Operation[] {
  return [
    operation({
      id: 'listSecrets',
      method: 'GET',
      path: '/v1/vaults/{vault}/secrets',
      tag: 'secrets',
      summary: 'The secrets that the caller may see, without their values.',
      query: z.object({
        prefix: z.string().optional(),
        limit: z.coerce.number().int().min(1).max(1000).optional().describe('Default: all.'),
        cursor: z.string().optional().describe('next_cursor of the page before.'),
      }),
      answers: {
        200: {
          description: 'By path.',
          schema: z.object({
            secrets: z.array(secretSchema),
            total: z.int().describe('How many there are in the vault, seen or not.'),
            next_cursor: z.string().nullable(),
          }),
        },
        404: { description: 'There is no such vault.' },
      },
      async handle(call) {
        const { prefix, limit, cursor } = call.query
        const { vault: name } = at(call)
        const list = JSON.stringify(['secrets', principalName(call.caller.principal), name, prefix])
        const after = cursor === undefined ? null : await cursors.read(list, cursor)
        const listed = await vault.list(call.caller, name, prefix)
        const { total } = listed
        // Databases order text as their locale does; a cursor needs one order.
        const secrets = listed.secrets.toSorted((a, b) => (a.path < b.path ? -1 : 1))
        const rest = after === null ? secrets : secrets.filter(({ path }) => path > after)
        const page = limit === undefined ? rest : rest.slice(0, limit)
        const last = page.length < rest.length ? page.at(-1) : undefined
        return {
          status: 200,
          body: {
            secrets: page.map(listedFields),
            total,
            next_cursor: last === undefined ? null : await cursors.after(list, last.path),
          },
        }
      },
    }),
    operation({
      id: 'describeSecret',
      method: 'GET',
      path: '/v1/vaults/{vault}/secret-metadata/{path}',
      tag: 'secrets',
      summary: 'One secret without its value. Never counts as a read.',
      tagged: true,
      answers: { 200: { description: 'What is known of it.', schema: secretSchema }, ...NOT_THERE },
      async handle(call) {
        const { vault: name, path } = at(call)
        const info = await vault.describe(call.caller, name, path)
        return { status: 200, body: listedFields(info), headers: { ETag: `"${info.version}"` } }
      },
    }),
  ]
}

function values(vault: VaultPort): readonly Operation[] {
  return [
    operation({
      id: 'readSecret',
      method: 'GET',
      path: '/v1/vaults/{vault}/secrets/{path}',
      tag: 'secrets',
      summary: 'The value of a secret. Recorded before it is answered, and counted.',
      tagged: true,
      query: z.object({ purpose }),
      answers: {
        200: { description: 'The value.', schema: secretValueSchema },
        202: AWAITING,
        402: { description: 'The quota is spent.' },
        ...NOT_THERE,
        ...SPENT,
      },
      async handle(call) {
        const { vault: name, path } = at(call)
        if (call.query.purpose === 'use') return valueForUse(vault, call, name, path)
        const { info, value } = await vault.get(call.caller, name, path)
        return valueAnswer(info, value, { ETag: `"${info.version}"` })
      },
    }),
    operation({
      id: 'readSecretVersion',
      method: 'GET',
      path: '/v1/vaults/{vault}/secret-version/{path}/{version}',
      tag: 'secrets',
      summary: 'The value of one version of a secret.',
      answers: {
        200: { description: 'The value.', schema: secretValueSchema },
        202: AWAITING,
        ...NOT_THERE,
        ...SPENT,
      },
      async handle(call) {
        const { vault: name, path } = at(call)
        const { info, value } = await vault.get(call.caller, name, path, versionOf(call))
        return valueAnswer(info, value)
      },
    }),
  ]
}

function changes(vault: VaultPort): readonly Operation[] {
  return [
    operation({
      id: 'putSecret',
      method: 'PUT',
      path: '/v1/vaults/{vault}/secrets/{path}',
      tag: 'secrets',
      summary: 'Stores a new version.',
      conditions: ['If-Match', 'If-None-Match'],
      tagged: true,
      body: putBody,
      answers: {
        201: { description: 'Stored.', schema: storedSchema },
        202: AWAITING,
        403: NOT_THERE[403],
        ...CONFLICT,
      },
      async handle(call) {
        const { vault: name, path } = at(call)
        const { body } = call
        const value = valueFrom(body.value, body.encoding)
        try {
          const version = await vault.put(call.caller, name, {
            path,
            value,
            type: body.type ?? 'generic',
            ...(body.metadata === undefined || body.metadata === null
              ? {}
              : { metadata: body.metadata }),
            expiresAt: optionalMoment('expires_at', body.expires_at) ?? null,
            maxAccessCount: body.max_access_count ?? null,
            ...ifVersion(call),
          })
          return storedAnswer(version)
        } finally {
          value.wipe()
        }
      },
    }),
    operation({
      id: 'rotateSecret',
      method: 'POST',
      path: '/v1/vaults/{vault}/secret-rotate/{path}',
      tag: 'secrets',
      summary: 'Replaces the value by one made here, which is not answered. Keeps type and limits.',
      conditions: ['If-Match', 'If-None-Match'],
      tagged: true,
      body: rotateBody,
      answers: {
        201: { description: 'Rotated.', schema: storedSchema },
        202: AWAITING,
        ...NOT_THERE,
        ...CONFLICT,
      },
      async handle(call) {
        const { vault: name, path } = at(call)
        const { length, charset } = call.body
        if (call.body.value !== undefined) {
          const value = SecretText.fromText(call.body.value)
          try {
            return storedAnswer(
              await vault.rotateAndStore(call.caller, name, { path, value, ...ifVersion(call) }),
            )
          } finally {
            value.wipe()
          }
        }
        const version = await vault.rotateGenerated(call.caller, name, {
          path,
          ...(length === undefined ? {} : { length }),
          ...(charset === undefined ? {} : { charset }),
          ...ifVersion(call),
        })
        return storedAnswer(version)
      },
    }),
    operation({
      id: 'deleteSecret',
      method: 'DELETE',
      path: '/v1/vaults/{vault}/secrets/{path}',
      tag: 'secrets',
      summary: 'Deletes a secret softly: every version stays, none is answered.',
      conditions: ['If-Match'],
      answers: { 204: { description: 'Deleted.' }, 202: AWAITING, ...NOT_THERE, ...CONFLICT },
      async handle(call) {
        const { vault: name, path } = at(call)
        await vault.delete(call.caller, name, path, ifMatch(call))
        return { status: 204 }
      },
    }),
  ]
}

function versions(vault: VaultPort): readonly Operation[] {
  return [
    operation({
      id: 'listSecretVersions',
      method: 'GET',
      path: '/v1/vaults/{vault}/secret-versions/{path}',
      tag: 'secrets',
      summary: 'The versions of a secret, the newest first.',
      answers: {
        200: {
          description: 'Without values.',
          schema: z.object({ versions: z.array(versionSchema) }),
        },
        ...NOT_THERE,
      },
      async handle(call) {
        const { vault: name, path } = at(call)
        const history = await vault.history(call.caller, name, path)
        return { status: 200, body: { versions: history.map(versionFields) } }
      },
    }),
    operation({
      id: 'disableSecretVersion',
      method: 'POST',
      path: '/v1/vaults/{vault}/secret-version-disable/{path}/{version}',
      tag: 'secrets',
      summary: 'Disables one version.',
      answers: { 204: { description: 'Disabled.' }, 202: AWAITING, ...NOT_THERE },
      async handle(call) {
        const { vault: name, path } = at(call)
        await vault.setVersionEnabled(call.caller, name, path, versionOf(call), false)
        return { status: 204 }
      },
    }),
  ]
}

async function valueForUse(
  vault: VaultPort,
  call: Call,
  name: string,
  path: string,
): Promise<Answered> {
  const [used] = await vault.use(call.caller, name, [path])
  if (used === undefined || 'fault' in used) throw useFault(used?.fault ?? 'SECRET_NOT_FOUND', path)
  return valueAnswer(used.info, used.value, { ETag: `"${used.info.version}"` })
}

function useFault(
  code: 'ACCESS_DENIED' | 'SECRET_NOT_FOUND' | 'SECRET_SPENT',
  path: string,
): Fault {
  const text = {
    ACCESS_DENIED: "Access denied (agent doesn't have a policy for this path)",
    SECRET_NOT_FOUND: `No secret found at path '${path}'.`,
    SECRET_SPENT: `Secret at path '${path}' is expired or has exceeded its maximum access count.`,
  }[code]
  return new Fault(code, text, { details: { path } })
}

function valueAnswer(
  info: SecretInfo,
  value: SecretText,
  headers: Readonly<Record<string, string>> = {},
): Answered {
  try {
    const isText = value.isUtf8()
    return {
      status: 200,
      headers,
      body: {
        ...secretFields(info),
        value: isText ? value.reveal() : Buffer.from(value.revealBytes()).toString('base64'),
        encoding: isText ? 'utf8' : 'base64',
      },
    }
  } finally {
    value.wipe()
  }
}

function storedAnswer(version: StoredVersion): Answered {
  return {
    status: 201,
    headers: { ETag: `"${version.version}"` },
    body: {
      id: version.id,
      vault_id: version.vaultId,
      path: version.path,
      type: version.type,
      version: version.version,
      metadata: version.metadata,
      created_at: toIso(version.createdAt),
      expires_at: isoOrNull(version.expiresAt),
      ...(version.notRedactable === true ? { not_redactable: true } : {}),
    },
  }
}

function valueFrom(text: string, encoding: 'utf8' | 'base64' | undefined): SecretText {
  if (encoding !== 'base64') return SecretText.fromText(text)
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0)
    throw new Fault('BAD_INPUT', 'value is not base64.', { details: { field: 'value' } })
  return new SecretText(Buffer.from(text, 'base64'))
}

function versionOf({ params }: Call): number {
  const text = params['version'] ?? ''
  if (!/^[1-9]\d{0,9}$/.test(text))
    throw new Fault('BAD_INPUT', 'version must be a whole number from 1.', {
      details: { field: 'version' },
    })
  return Number(text)
}

/** `If-Match: "3"` and `If-None-Match: *` as compare-and-set. */
function ifVersion(call: Call): { readonly ifVersion?: number } {
  const version = ifMatch(call)
  if (version !== undefined) return { ifVersion: version }
  const none = call.header('if-none-match')
  if (none === null) return {}
  // A condition that was passed over would store what its sender meant to keep.
  if (none === '*') return { ifVersion: 0 }
  throw new Fault('BAD_INPUT', 'If-None-Match must be *: nothing is there yet.', {
    details: { field: 'If-None-Match' },
  })
}

function ifMatch(call: Call): number | undefined {
  const match = call.header('if-match')
  if (match === null) return undefined
  const version = /^"([1-9]\d{0,9})"$/.exec(match)?.[1]
  if (version === undefined)
    throw new Fault('BAD_INPUT', 'If-Match must be one ETag of the secret, such as "3".', {
      details: { field: 'If-Match' },
    })
  return Number(version)
}
