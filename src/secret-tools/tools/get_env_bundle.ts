import * as z from 'zod'
import { pathFields, pathOf } from '../arguments.ts'
import { READS, secretTool } from '../secret-tool.ts'
import { readFields, readShape } from '../shapes.ts'

export const getEnvBundle = secretTool({
  name: 'get_env_bundle',
  title: 'Get an env bundle',
  description:
    'Answers the names and values of a secret of the type env_bundle. Every call reads it anew, is recorded, and counts towards max_access_count.',
  annotations: { ...READS, idempotentHint: false },
  input: z.strictObject(pathFields),
  output: z.strictObject({
    ...readShape,
    variables: z.record(z.string(), z.string().meta({ format: 'password' })),
  }),
  mayWait: true,
  async run(args, { vault, vaultName, caller, log }) {
    const { info, entries } = await vault.getEnvBundle(caller, vaultName, pathOf(args))
    try {
      const variables = Object.fromEntries(entries.map(([name, value]) => [name, value.reveal()]))
      log.info(`secret accessed: ${info.path}`)
      return { structured: { ...readFields(info), variables }, text: JSON.stringify(variables) }
    } finally {
      for (const [, value] of entries) value.wipe()
    }
  },
})
