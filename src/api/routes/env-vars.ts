import * as z from 'zod'
import type { EnvironmentInfo, EnvVarInfo, EnvVarPort, EnvVarRef } from '../../core/env-var-port.ts'
import { SecretText } from '../../core/secret-text.ts'
import { toIso } from '../../core/time.ts'
import { expectationOf, shownAs } from '../conditional.ts'
import { instant, uuid } from '../contract/schemas.ts'
import { type Call, type Operation, operation } from '../operation.ts'
import { madeBy } from './moments.ts'

/** Of a variable, whosesoever it is. */
export const commonFields = {
  id: uuid,
  key: z.string(),
  environments: z.array(z.string()),
  sensitive: z.boolean(),
  comment: z.string().nullable(),
  value: z.string().optional().describe('Of one that is not sensitive, where one is asked for.'),
  version: z.int(),
  created_by: z.string(),
  created_by_type: z.enum(['user', 'agent', 'system']),
  created_at: instant,
  updated_at: instant,
}

const envVarSchema = z
  .object({ ...commonFields, git_branch: z.string().nullable() })
  .meta({ id: 'EnvVar' })

const environmentSchema = z
  .object({
    id: z.string(),
    slug: z.string(),
    description: z.string().nullable(),
    is_builtin: z.boolean(),
    copied_from: z.string().nullable(),
    is_detached: z.boolean(),
    created_at: instant,
  })
  .meta({ id: 'VaultEnvironment' })

const resolvedSchema = z
  .object({
    vars: z.record(z.string(), z.string()),
    sources: z.record(z.string(), z.enum(['shared', 'vault', 'branch_override'])),
    environment: z.string(),
    git_branch: z.string().nullable(),
    resolved_at: instant,
  })
  .meta({ id: 'ResolveEnvVarsResponse' })

/** What may be said of any variable. */
export const termFields = {
  environments: z.array(z.string().max(64)).max(32).optional(),
  sensitive: z.boolean().optional(),
  comment: z.string().max(500).nullish(),
}
const fields = { ...termFields, git_branch: z.string().max(200).nullish() }
const createSchema = z.object({ key: z.string().max(128), value: z.string(), ...fields })
const updateSchema = z.object({ value: z.string().optional(), ...fields })

const ENVIRONMENT = z.string().max(64).optional()
const which = z.object({
  environment: ENVIRONMENT.describe('Where the key has several values: the one that is there.'),
  git_branch: z.string().max(200).optional().describe('Left out: the one without a branch.'),
})

const REFUSED = {
  403: { description: 'No policy allows it at env-vars/KEY/ID.' },
  404: { description: 'There is none, or none for this caller.' },
}
const TAKEN = { 409: { description: 'The key has a value there already.' } }

/** Variables by environment and branch. */
export function envVarOperations(envVars: EnvVarPort): readonly Operation[] {
  return [...variables(envVars), ...resolving(envVars), ...environments(envVars)]
}

const vaultOf = ({ params }: Call): string => params['vault'] ?? ''

function refOf({ params, query }: Call<z.output<typeof which>>): EnvVarRef {
  const { environment, git_branch: gitBranch } = query
  return {
    name: params['variable'] ?? '',
    ...(environment === undefined ? {} : { environment }),
    ...(gitBranch === undefined ? {} : { gitBranch }),
  }
}

const ONE = '/v1/vaults/{vault}/env-vars/{variable}'

function variables(envVars: EnvVarPort): readonly Operation[] {
  const update = (method: 'PUT' | 'PATCH', id: string) =>
    operation({
      id,
      method,
      path: ONE,
      tag: 'env-vars',
      summary: 'Changes what is given. What is sensitive stays so.',
      query: which,
      conditions: ['If-Match'],
      tagged: true,
      body: updateSchema,
      answers: {
        200: { description: 'As it is now.', schema: envVarSchema },
        ...REFUSED,
        ...TAKEN,
      },
      async handle(call) {
        const value = call.body.value === undefined ? null : SecretText.fromText(call.body.value)
        try {
          const change = { ...chosen(call.body), ...(value === null ? {} : { value }) }
          const expected = expectationOf(call)
          const vault = vaultOf(call)
          const info = await envVars.update(call.caller, vault, refOf(call), change, expected)
          return shownAs(info, { status: 200, body: envVarFields(info) })
        } finally {
          value?.wipe()
        }
      },
    })
  return [
    operation({
      id: 'listEnvVars',
      method: 'GET',
      path: '/v1/vaults/{vault}/env-vars',
      tag: 'env-vars',
      summary: 'The variables that the caller may list, without their values.',
      query: z.object({ environment: ENVIRONMENT }),
      answers: {
        200: { description: 'By key.', schema: z.object({ env_vars: z.array(envVarSchema) }) },
        ...REFUSED,
      },
      async handle(call) {
        const { environment } = call.query
        const all = await envVars.list(call.caller, vaultOf(call), environment)
        return { status: 200, body: { env_vars: all.map(envVarFields) } }
      },
    }),
    operation({
      id: 'createEnvVar',
      method: 'POST',
      path: '/v1/vaults/{vault}/env-vars',
      tag: 'env-vars',
      summary: 'Stores a variable.',
      tagged: true,
      body: createSchema,
      answers: { 201: { description: 'Stored.', schema: envVarSchema }, ...REFUSED, ...TAKEN },
      async handle(call) {
        const value = SecretText.fromText(call.body.value)
        try {
          const wanted = { key: call.body.key, value, ...chosen(call.body) }
          const info = await envVars.create(call.caller, vaultOf(call), wanted)
          return shownAs(info, { status: 201, body: envVarFields(info) })
        } finally {
          value.wipe()
        }
      },
    }),
    operation({
      id: 'readEnvVar',
      method: 'GET',
      path: ONE,
      tag: 'env-vars',
      summary: 'One variable, with its value when it is not sensitive. Counts one read.',
      tagged: true,
      query: which,
      answers: { 200: { description: 'The variable.', schema: envVarSchema }, ...REFUSED },
      async handle(call) {
        const { info, value } = await envVars.get(call.caller, vaultOf(call), refOf(call))
        try {
          const shown = value === null ? {} : { value: value.reveal() }
          return shownAs(info, { status: 200, body: { ...envVarFields(info), ...shown } })
        } finally {
          value?.wipe()
        }
      },
    }),
    update('PATCH', 'updateEnvVar'),
    update('PUT', 'replaceEnvVar'),
    operation({
      id: 'deleteEnvVar',
      method: 'DELETE',
      path: ONE,
      tag: 'env-vars',
      summary: 'Takes a variable away; with an environment, only out of that one.',
      conditions: ['If-Match'],
      query: which,
      answers: { 204: { description: 'Gone.' }, ...REFUSED },
      async handle(call) {
        await envVars.remove(call.caller, vaultOf(call), refOf(call), expectationOf(call))
        return { status: 204 }
      },
    }),
  ]
}

function resolving(envVars: EnvVarPort): readonly Operation[] {
  return [
    operation({
      id: 'resolveEnvVars',
      method: 'GET',
      path: '/v1/vaults/{vault}/env-vars/resolve',
      tag: 'env-vars',
      summary: 'The values of an environment; one of the branch stands before one without.',
      query: z.object({
        environment: ENVIRONMENT.describe('Default: that of the agent, else production.'),
        git_branch: z.string().max(200).optional(),
      }),
      answers: {
        200: { description: 'Values and where they are from.', schema: resolvedSchema },
        402: { description: 'The quota is spent.' },
        ...REFUSED,
      },
      async handle(call) {
        const { environment = null, git_branch: branch = null } = call.query
        const resolved = await envVars.resolve(call.caller, vaultOf(call), environment, branch)
        try {
          return {
            status: 200,
            body: {
              vars: Object.fromEntries(
                resolved.vars.map(([key, value]) => [key, value.reveal()] as const),
              ),
              sources: resolved.sources,
              environment: resolved.environment,
              git_branch: resolved.gitBranch,
              resolved_at: toIso(resolved.resolvedAt),
            },
          }
        } finally {
          for (const [, value] of resolved.vars) value.wipe()
        }
      },
    }),
  ]
}

function environments(envVars: EnvVarPort): readonly Operation[] {
  const path = '/v1/vaults/{vault}/environments'
  return [
    operation({
      id: 'listEnvironments',
      method: 'GET',
      path,
      tag: 'env-vars',
      summary: 'The environments of a vault.',
      answers: {
        200: {
          description: 'Those that every vault has first.',
          schema: z.object({ environments: z.array(environmentSchema) }),
        },
        ...REFUSED,
      },
      async handle(call) {
        const all = await envVars.environments(call.caller, vaultOf(call))
        return { status: 200, body: { environments: all.map(environmentFields) } }
      },
    }),
    operation({
      id: 'createEnvironment',
      method: 'POST',
      path,
      tag: 'env-vars',
      summary: 'Adds an environment.',
      body: z.object({
        slug: z.string().max(64),
        description: z.string().max(500).nullish(),
        copied_from: z
          .string()
          .max(64)
          .nullish()
          .describe('It has the variables of that one wherever it has none of its own.'),
      }),
      answers: { 201: { description: 'Added.', schema: environmentSchema }, ...REFUSED, ...TAKEN },
      async handle(call) {
        const { slug, description = null, copied_from: copiedFrom = null } = call.body
        const made = await envVars.createEnvironment(call.caller, vaultOf(call), {
          slug,
          description,
          copiedFrom,
        })
        return { status: 201, body: environmentFields(made) }
      },
    }),
    operation({
      id: 'deleteEnvironment',
      method: 'DELETE',
      path: `${path}/{slug}`,
      tag: 'env-vars',
      summary: 'Removes an environment in which no variable is.',
      answers: { 204: { description: 'Gone.' }, ...REFUSED, ...TAKEN },
      async handle(call) {
        await envVars.removeEnvironment(call.caller, vaultOf(call), call.params['slug'] ?? '')
        return { status: 204 }
      },
    }),
  ]
}

function chosen(body: z.output<typeof updateSchema>) {
  const { git_branch: gitBranch } = body
  return { ...termsFrom(body), ...(gitBranch === undefined ? {} : { gitBranch }) }
}

export function termsFrom(
  body: Partial<Pick<z.output<typeof updateSchema>, keyof typeof termFields>>,
) {
  const { environments: slugs, sensitive, comment } = body
  return {
    ...(slugs === undefined ? {} : { environments: slugs }),
    ...(sensitive === undefined ? {} : { isSensitive: sensitive }),
    ...(comment === undefined ? {} : { comment }),
  }
}

function envVarFields(info: EnvVarInfo) {
  return { ...commonFieldsOf(info), git_branch: info.gitBranch }
}

export function commonFieldsOf(info: EnvVarInfo) {
  return {
    id: info.id,
    key: info.key,
    environments: info.environments,
    sensitive: info.isSensitive,
    comment: info.comment,
    version: info.version,
    ...madeBy(info.createdBy),
    created_at: toIso(info.createdAt),
    updated_at: toIso(info.updatedAt),
  }
}

function environmentFields(info: EnvironmentInfo) {
  return {
    id: info.id,
    slug: info.slug,
    description: info.description,
    is_builtin: info.isBuiltin,
    copied_from: info.copiedFrom,
    is_detached: false,
    created_at: toIso(info.createdAt),
  }
}
