import * as z from 'zod'
import { Fault } from '../../core/faults.ts'
import type { VaultPort } from '../../core/vault-port.ts'
import { vaultSchema } from '../contract/schemas.ts'
import { type Operation, operation } from '../operation.ts'
import { vaultFields } from './secret-view.ts'

export function vaultOperations(vault: VaultPort): readonly Operation[] {
  return [
    operation({
      id: 'listVaults',
      method: 'GET',
      path: '/v1/vaults',
      tag: 'vaults',
      summary: 'The vaults in which the caller may do anything.',
      answers: {
        200: { description: 'By name.', schema: z.object({ vaults: z.array(vaultSchema) }) },
      },
      async handle({ caller }) {
        const vaults = await vault.listVaults(caller)
        return { status: 200, body: { vaults: vaults.map(vaultFields) } }
      },
    }),
    operation({
      id: 'createVault',
      method: 'POST',
      path: '/v1/vaults',
      tag: 'vaults',
      summary: 'Makes a vault, which belongs to the caller.',
      body: z.object({
        name: z.string(),
        description: z.string().nullish(),
        mpc_custody: z.null().optional().describe('Keys are not split here.'),
      }),
      answers: {
        201: { description: 'Made.', schema: vaultSchema },
        409: { description: 'The name is taken.' },
      },
      async handle({ caller, body }) {
        const { name, description } = body
        const made = await vault.createVault(caller, {
          name,
          ...(description === undefined || description === null ? {} : { description }),
        })
        return { status: 201, body: vaultFields(made) }
      },
    }),
    operation({
      id: 'getVault',
      method: 'GET',
      path: '/v1/vaults/{vault}',
      tag: 'vaults',
      summary: 'One vault.',
      answers: {
        200: { description: 'The vault.', schema: vaultSchema },
        404: { description: 'There is none, or none for this caller.' },
      },
      async handle({ caller, params }) {
        const wanted = params['vault']
        const vaults = await vault.listVaults(caller)
        const found = vaults.find(({ id, name }) => id === wanted || name === wanted)
        if (found === undefined) throw new Fault('VAULT_NOT_FOUND', 'There is no such vault.')
        return { status: 200, body: vaultFields(found) }
      },
    }),
    operation({
      id: 'deleteVault',
      method: 'DELETE',
      path: '/v1/vaults/{vault}',
      tag: 'vaults',
      summary: 'Deletes a vault for ever, with everything in it; for agents only an empty one.',
      answers: {
        204: { description: 'Gone.' },
        403: { description: 'Only owners, admins and whoever made it may do this.' },
        404: { description: 'There is none, or none for this caller.' },
        409: { description: 'It holds secrets and an agent asks, or it is the one that stays.' },
      },
      async handle({ caller, params }) {
        await vault.deleteVault(caller, params['vault'] ?? '')
        return { status: 204 }
      },
    }),
  ]
}
