import * as z from 'zod'
import type { SecretQuestion } from '../../core/ask-port.ts'
import { Fault, isFault } from '../../core/faults.ts'
import { isRegistered, principalName, projectOf } from '../../core/principals.ts'
import type { SecretText } from '../../core/secret-text.ts'
import type { StoredVersion } from '../../core/vault-port.ts'
import {
  expiresAtField,
  maxAccessCountField,
  metadataField,
  pathFields,
  pathOf,
  storageOf,
  typeField,
} from '../arguments.ts'
import type { SecretCall } from '../context.ts'
import { REPLACES, secretTool } from '../secret-tool.ts'
import { storedFields, storedShape, storedText } from '../shapes.ts'

const WAITING = 'Waiting for the person to enter the secret.'

export const inputSecret = secretTool({
  name: 'input_secret',
  title: 'Ask the person for a secret',
  description:
    'Asks the person for a value on a page or in a dialog with hidden input and stores it. You never see the value. Use this whenever a secret is missing: never ask for one in the chat.',
  annotations: REPLACES,
  input: z.strictObject({
    ...pathFields,
    prompt: z
      .string()
      .max(2000)
      .describe('Why it is needed, in your words. Shown to the person as yours, 200 characters.')
      .optional(),
    type: typeField.optional(),
    metadata: metadataField.optional(),
    expires_at: expiresAtField.optional(),
    max_access_count: maxAccessCountField.optional(),
  }),
  output: storedShape,
  async run(args, call) {
    const path = pathOf(args)
    const storage = storageOf(args)
    const { vault, vaultName, caller, mcp, questions } = call
    if (mcp.visit?.action === 'unanswered')
      return visitTo(path, mcp.visit.handle, questions.urlOf(mcp.visit.handle))
    if (mcp.visit !== null) return stored(await afterVisit(call, path, mcp.visit))

    const standing = await vault.standing(caller, vaultName, path)
    const question: SecretQuestion = {
      client: mcp.client ?? 'an MCP client',
      project: projectOf(caller.principal),
      vault: vaultName,
      path: standing.path,
      replacesVersion: standing.currentVersion,
      agentText: args.prompt ?? null,
      ...(isRegistered(caller.principal) && { asker: principalName(caller.principal) }),
    }
    const store = (value: SecretText): Promise<StoredVersion> =>
      vault.put(caller, vaultName, { path, value, asked: true, ...storage })
    const doors = await call.openDoors()
    const principal = principalName(caller.principal)
    try {
      if (mcp.canVisit) {
        const opening = questions.open(doors, principal, question, store, mcp.signal)
        const { handle, url } = await mcp.waitFor(opening, WAITING)
        return visitTo(path, handle, url)
      }
      const asking = doors.pass(
        principal,
        async () => {
          const { value } = await doors.askSecret(question, mcp.signal)
          try {
            return await store(value)
          } finally {
            value.wipe()
          }
        },
        mcp.signal,
      )
      return stored(await mcp.waitFor(asking, WAITING))
    } catch (error) {
      throw inWords(error, path)
    }
  },
})

function visitTo(
  path: string,
  handle: string,
  url: string,
): { visit: { handle: string; url: string; message: string } } {
  return {
    visit: {
      handle,
      url,
      message: `Enter the value for '${path}' on this page. It goes straight to the vault; the agent does not see it.`,
    },
  }
}

async function afterVisit(
  { mcp, questions }: SecretCall,
  path: string,
  { handle, action }: { readonly handle: string; readonly action: string },
): Promise<StoredVersion> {
  if (action === 'decline' || action === 'cancel') questions.decline(handle)
  if (action === 'failed') {
    questions.withdraw(handle)
    throw inWords(new Fault('INPUT_UNAVAILABLE', 'The client could not show the page.'), path)
  }
  try {
    return await mcp.waitFor(questions.outcome(handle, mcp.signal), WAITING)
  } catch (error) {
    throw inWords(error, path)
  }
}

/** The person's answer in the words that agents know from the older servers, each outcome in its own. */
function inWords(error: unknown, path: string): unknown {
  if (!isFault(error)) return error
  const details = { ...error.details, path }
  const by = (message: string): Fault => new Fault(error.code, message, { details, cause: error })
  switch (error.code) {
    case 'INPUT_CANCELLED':
      return by(`User cancelled the dialog; nothing was stored at '${path}'.`)
    case 'INPUT_EMPTY':
      return by(`Empty value rejected; nothing was stored at '${path}'.`)
    case 'INPUT_TOO_LONG':
      return by(`The value was too long; nothing was stored at '${path}'.`)
    case 'INPUT_TIMED_OUT':
      return by(`Nobody entered a value in time; nothing was stored at '${path}'.`)
    case 'INPUT_UNAVAILABLE':
      return by(
        `The person can't be asked from here. Have them run in a terminal: sallyport secret put ${path}`,
      )
    default:
      return error
  }
}

function stored(version: StoredVersion): {
  structured: z.output<typeof storedShape>
  text: string
} {
  return {
    structured: storedFields(version),
    text: storedText(`OK: '${version.path}' stored (version ${version.version}).`, version),
  }
}
