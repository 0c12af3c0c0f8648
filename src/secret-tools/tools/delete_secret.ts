import * as z from 'zod'
import { pathFields, pathOf } from '../arguments.ts'
import { REPLACES, secretTool } from '../secret-tool.ts'

export const deleteSecret = secretTool({
  name: 'delete_secret',
  title: 'Delete a secret',
  description:
    'Deletes a secret softly: nothing can read it any more, and the person can bring it back.',
  annotations: REPLACES,
  input: z.strictObject(pathFields),
  output: z.strictObject({
    id: z.string(),
    vault_id: z.string(),
    path: z.string(),
    version: z.int(),
    undelete: z.string().describe('The command that brings it back.'),
  }),
  mayWait: true,
  async run(args, { vault, vaultName, caller }) {
    const info = await vault.delete(caller, vaultName, pathOf(args))
    const undelete = `sallyport secret undelete ${info.path}`
    return {
      structured: {
        id: info.id,
        vault_id: info.vaultId,
        path: info.path,
        version: info.version,
        undelete,
      },
      text: `Secret at '${info.path}' has been soft-deleted. To bring it back: ${undelete}`,
    }
  },
})
