import * as z from 'zod'
import type { SharedEnvVarInfo, SharedEnvVarPort } from '../../core/env-var-port.ts'
import { SecretText } from '../../core/secret-text.ts'
import { expectationOf, shownAs } from '../conditional.ts'
import { uuid } from '../contract/schemas.ts'
import { type Call, type Operation, operation } from '../operation.ts'
import { commonFields, commonFieldsOf, termFields, termsFrom } from './env-vars.ts'

const sharedSchema = z
  .object({ ...commonFields, linked_vaults: z.array(uuid) })
  .meta({ id: 'OrgEnvVar' })

const REFUSED = {
  403: { description: 'No policy allows it at org-env-vars/KEY/ID, or where it is linked.' },
  404: { description: 'There is none, or none for this caller.' },
}
const TAKEN = { 409: { description: 'The key has a value there already.' } }
const ALL = '/v1/org/env-vars'
const ONE = `${ALL}/{variable}`

const nameOf = ({ params }: Call): string => params['variable'] ?? ''

/** Variables of the organisation, which vaults are linked to. */
export function sharedEnvVarOperations(shared: SharedEnvVarPort): readonly Operation[] {
  return [...variables(shared), ...links(shared)]
}

function variables(shared: SharedEnvVarPort): readonly Operation[] {
  return [
    operation({
      id: 'listOrgEnvVars',
      method: 'GET',
      path: ALL,
      tag: 'env-vars',
      summary: 'The shared variables that the caller may list, without their values.',
      answers: {
        200: { description: 'By key.', schema: z.object({ env_vars: z.array(sharedSchema) }) },
      },
      async handle({ caller }) {
        const all = await shared.list(caller)
        return { status: 200, body: { env_vars: all.map(sharedFields) } }
      },
    }),
    operation({
      id: 'createOrgEnvVar',
      method: 'POST',
      path: ALL,
      tag: 'env-vars',
      summary: 'Stores a shared variable, which stands nowhere until it is linked.',
      tagged: true,
      body: z.object({ key: z.string().max(128), value: z.string(), ...termFields }),
      answers: { 201: { description: 'Stored.', schema: sharedSchema }, ...REFUSED, ...TAKEN },
      async handle({ caller, body }) {
        const value = SecretText.fromText(body.value)
        try {
          const info = await shared.create(caller, { key: body.key, value, ...termsFrom(body) })
          return shownAs(info, { status: 201, body: sharedFields(info) })
        } finally {
          value.wipe()
        }
      },
    }),
    operation({
      id: 'readOrgEnvVar',
      method: 'GET',
      path: ONE,
      tag: 'env-vars',
      summary: 'One shared variable, with its value when it is not sensitive. Counts one read.',
      tagged: true,
      answers: { 200: { description: 'The variable.', schema: sharedSchema }, ...REFUSED },
      async handle(call) {
        const { info, value } = await shared.get(call.caller, nameOf(call))
        try {
          const shown = value === null ? {} : { value: value.reveal() }
          return shownAs(info, { status: 200, body: { ...sharedFields(info), ...shown } })
        } finally {
          value?.wipe()
        }
      },
    }),
    operation({
      id: 'updateOrgEnvVar',
      method: 'PATCH',
      path: ONE,
      tag: 'env-vars',
      summary: 'Changes what is given, wherever it is linked. What is sensitive stays so.',
      conditions: ['If-Match'],
      tagged: true,
      body: z.object({ value: z.string().optional(), ...termFields }),
      answers: {
        200: { description: 'As it is now.', schema: sharedSchema },
        ...REFUSED,
        ...TAKEN,
      },
      async handle(call) {
        const value = call.body.value === undefined ? null : SecretText.fromText(call.body.value)
        try {
          const change = { ...termsFrom(call.body), ...(value === null ? {} : { value }) }
          const expected = expectationOf(call)
          const info = await shared.update(call.caller, nameOf(call), change, expected)
          return shownAs(info, { status: 200, body: sharedFields(info) })
        } finally {
          value?.wipe()
        }
      },
    }),
    operation({
      id: 'deleteOrgEnvVar',
      method: 'DELETE',
      path: ONE,
      tag: 'env-vars',
      summary: 'Takes a shared variable away, wherever it is linked.',
      conditions: ['If-Match'],
      answers: { 204: { description: 'Gone.' }, ...REFUSED },
      async handle(call) {
        await shared.remove(call.caller, nameOf(call), expectationOf(call))
        return { status: 204 }
      },
    }),
  ]
}

function links(shared: SharedEnvVarPort): readonly Operation[] {
  return [
    operation({
      id: 'linkOrgEnvVar',
      method: 'POST',
      path: `${ONE}/link`,
      tag: 'env-vars',
      summary: 'Puts a shared variable into a vault, behind those of its own. Counts one read.',
      tagged: true,
      body: z.object({ vault_id: z.string().max(100) }),
      answers: { 200: { description: 'Linked.', schema: sharedSchema }, ...REFUSED, ...TAKEN },
      async handle(call) {
        const info = await shared.link(call.caller, nameOf(call), call.body.vault_id)
        return shownAs(info, { status: 200, body: sharedFields(info) })
      },
    }),
    operation({
      id: 'unlinkOrgEnvVar',
      method: 'DELETE',
      path: `${ONE}/links/{vault}`,
      tag: 'env-vars',
      summary: 'Takes a shared variable out of a vault.',
      answers: { 204: { description: 'Gone.' }, ...REFUSED },
      async handle(call) {
        await shared.unlink(call.caller, nameOf(call), call.params['vault'] ?? '')
        return { status: 204 }
      },
    }),
  ]
}

function sharedFields(info: SharedEnvVarInfo) {
  return { ...commonFieldsOf(info), linked_vaults: info.linkedVaults }
}
