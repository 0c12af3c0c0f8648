import * as z from 'zod'
import {
  encodingField,
  expiresAtField,
  ifVersionField,
  maxAccessCountField,
  metadataField,
  pathFields,
  pathOf,
  storageOf,
  typeField,
  valueField,
  withValue,
} from '../arguments.ts'
import { REPLACES, secretTool } from '../secret-tool.ts'
import { storedFields, storedShape, storedText } from '../shapes.ts'

export const putSecret = secretTool({
  name: 'put_secret',
  title: 'Store a secret',
  description:
    'Stores a value at a path; what was there stays as an older version. For a value that only the person knows use input_secret instead: never ask for it in the chat.',
  annotations: REPLACES,
  input: z.strictObject({
    ...pathFields,
    value: valueField,
    encoding: encodingField.optional(),
    type: typeField.optional(),
    metadata: metadataField.optional(),
    expires_at: expiresAtField.optional(),
    max_access_count: maxAccessCountField.optional(),
    if_version: ifVersionField.optional(),
  }),
  output: storedShape,
  mayWait: true,
  async run(args, { vault, vaultName, caller }) {
    const request = {
      path: pathOf(args),
      ...storageOf(args),
      ...(args.if_version !== undefined && { ifVersion: args.if_version }),
    }
    const stored = await withValue(args, (value) =>
      vault.put(caller, vaultName, { ...request, value }),
    )
    return {
      structured: storedFields(stored),
      text: storedText(
        `Secret stored at '${stored.path}' (version ${stored.version}, type: ${stored.type}).`,
        stored,
      ),
    }
  },
})
