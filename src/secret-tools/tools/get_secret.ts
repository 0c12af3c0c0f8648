import * as z from 'zod'
import { pathFields, pathOf, versionField } from '../arguments.ts'
import { READS, secretTool } from '../secret-tool.ts'
import { readFields, readShape } from '../shapes.ts'

export const getSecret = secretTool({
  name: 'get_secret',
  title: 'Get a secret',
  description:
    'Answers the value of a secret. Every call reads it anew, is recorded, and counts towards max_access_count. Use the value where it is needed and do not repeat it.',
  annotations: { ...READS, idempotentHint: false },
  input: z.strictObject({ ...pathFields, version: versionField.optional() }),
  output: z.strictObject({
    ...readShape,
    value: z.string().meta({ format: 'password' }),
    encoding: z.enum(['utf8', 'base64']).describe('How value is written.'),
  }),
  mayWait: true,
  async run(args, { vault, vaultName, caller, log }) {
    const { info, value } = await vault.get(caller, vaultName, pathOf(args), args.version)
    try {
      const isText = value.isUtf8()
      const structured = {
        ...readFields(info),
        value: isText ? value.reveal() : Buffer.from(value.revealBytes()).toString('base64'),
        encoding: isText ? ('utf8' as const) : ('base64' as const),
      }
      log.info(`secret accessed: ${info.path}`)
      return { structured, text: JSON.stringify(structured) }
    } finally {
      value.wipe()
    }
  },
})
