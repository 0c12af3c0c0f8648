import * as z from 'zod'
import {
  encodingField,
  ifVersionField,
  pathFields,
  pathOf,
  valueField,
  withValue,
} from '../arguments.ts'
import { REPLACES, secretTool } from '../secret-tool.ts'
import { storedFields, storedShape, storedText } from '../shapes.ts'

export const rotateAndStore = secretTool({
  name: 'rotate_and_store',
  title: 'Rotate a secret to a given value',
  description:
    'Stores a new value for a secret that exists and keeps its type and metadata. The old value stays as an older version.',
  annotations: REPLACES,
  input: z.strictObject({
    ...pathFields,
    value: valueField,
    encoding: encodingField.optional(),
    if_version: ifVersionField.optional(),
  }),
  output: storedShape,
  mayWait: true,
  async run(args, { vault, vaultName, caller }) {
    const request = {
      path: pathOf(args),
      ...(args.if_version !== undefined && { ifVersion: args.if_version }),
    }
    const stored = await withValue(args, (value) =>
      vault.rotateAndStore(caller, vaultName, { ...request, value }),
    )
    return {
      structured: storedFields(stored),
      text: storedText(
        `Rotated secret at '${stored.path}'. New version: ${stored.version}.`,
        stored,
      ),
    }
  },
})
