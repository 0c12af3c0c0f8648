import * as z from 'zod'
import { CHARSETS } from '../../core/vault-port.ts'
import { ifVersionField, pathFields, pathOf } from '../arguments.ts'
import { REPLACES, secretTool } from '../secret-tool.ts'
import { storedFields, storedShape, storedText } from '../shapes.ts'

export const rotateGenerate = secretTool({
  name: 'rotate_generate',
  title: 'Rotate a secret to a generated value',
  description:
    'Makes a random new value for a secret that exists and keeps its type and metadata. The value stays in the vault and is not answered.',
  annotations: REPLACES,
  input: z.strictObject({
    ...pathFields,
    length: z.int().min(8).max(1024).describe('Characters. Default: 32.').optional(),
    charset: z.enum(CHARSETS).describe('Characters to draw from.').optional(),
    if_version: ifVersionField.optional(),
  }),
  output: storedShape,
  mayWait: true,
  async run(args, { vault, vaultName, caller }) {
    const stored = await vault.rotateGenerated(caller, vaultName, {
      path: pathOf(args),
      ...(args.length !== undefined && { length: args.length }),
      ...(args.charset !== undefined && { charset: args.charset }),
      ...(args.if_version !== undefined && { ifVersion: args.if_version }),
    })
    return {
      structured: storedFields(stored),
      text: storedText(
        `Rotated secret at '${stored.path}'. New version: ${stored.version}.`,
        stored,
      ),
    }
  },
})
