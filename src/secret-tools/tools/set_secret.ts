import * as z from 'zod'
import { pathFields, pathOf, valueField, withValue } from '../arguments.ts'
import { REPLACES, secretTool } from '../secret-tool.ts'
import { storedFields, storedShape, storedText } from '../shapes.ts'

export const setSecret = secretTool({
  name: 'set_secret',
  title: 'Set a secret',
  description:
    'Stores a value under a name; what was there stays as an older version. put_secret can do more. For a value that only the person knows use input_secret.',
  annotations: REPLACES,
  input: z.strictObject({ ...pathFields, value: valueField }),
  output: storedShape,
  mayWait: true,
  async run(args, { vault, vaultName, caller }) {
    const path = pathOf(args)
    const stored = await withValue(args, (value) => vault.put(caller, vaultName, { path, value }))
    return {
      structured: storedFields(stored),
      text: storedText(`OK: '${stored.path}' stored (version ${stored.version}).`, stored),
    }
  },
})
