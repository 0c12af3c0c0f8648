import { Fault } from '../../core/faults.ts'
import { type PutRequest, SECRET_TYPES } from '../../core/vault-port.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import {
  IF_VERSION_OPTION,
  instantOption,
  metadataOption,
  PATH_ARGUMENT,
  VAULT_OPTION,
  wholeNumber,
} from '../options.ts'
import { asAgentOrPerson, asPerson } from '../presence.ts'
import { notRedactableLine } from '../secret-view.ts'
import { visible } from '../text.ts'
import { NOT_IN_ARGUMENTS, readValue, VALUE_OPTIONS } from '../value-input.ts'

type Deps = Pick<CliDeps, 'caller' | 'defaultVault' | 'openVault' | 'presence' | 'promptHidden'>

export const secretPut = command({
  name: 'secret put',
  summary: 'Store a secret: from a pipe, a hidden prompt or a file.',
  about: [
    'The value never comes from an argument: other processes can read those, and the shell remembers them. ' +
      'One newline at the end of piped input is taken off.',
    'Where a secret is replaced and this folder is not allowed to, the presence passphrase is asked for.',
    'Of a value that can be guessed nothing is remembered, so it is not redacted where it shows up: whoever had the ' +
      'key of the fingerprints could try guesses. With --remember-weak it is remembered all the same.',
  ],
  arguments: [PATH_ARGUMENT],
  options: {
    ...VALUE_OPTIONS,
    type: {
      summary: 'what it is; the type of the version it replaces, else api_key',
      value: 'TYPE',
      choices: SECRET_TYPES,
    },
    metadata: { summary: 'a fact about it', value: 'KEY=VALUE', repeats: true },
    expiresAt: { summary: 'when it stops being readable: 2027-01-31T12:00:00Z', value: 'TIME' },
    maxAccessCount: { summary: 'how often this version may be read', value: 'N' },
    rememberWeak: {
      summary:
        'let redaction recognise it even if it can be guessed; asks for the presence passphrase',
    },
    ...IF_VERSION_OPTION,
    ...VAULT_OPTION,
  },
  examples: [
    ['sallyport secret put api/stripe', 'type the value, nothing is shown'],
    ['pass show stripe | sallyport secret put api/stripe', 'from another program'],
    ['sallyport secret put tls/key --file key.pem --type private_key', 'from a file'],
  ],
  surplus: NOT_IN_ARGUMENTS,
  async run(args, io, deps: Deps) {
    // A path has no `=`, so what stands there is a value; no message may repeat it.
    if (args.path.includes('=')) throw new Fault('BAD_USAGE', NOT_IN_ARGUMENTS)
    const facts = factsOf(args)
    const value = await readValue(args, io, deps, `Value for ${visible(args.path)}`)
    const vault = await deps.openVault()
    const name = args.vault ?? deps.defaultVault()
    const action = `store the secret ${args.path}`
    const request = { path: args.path, value, ...facts }
    const stored = args.rememberWeak
      ? await vault.put(
          await asPerson(deps, io, { action, detail: 'remembered even if it can be guessed' }),
          name,
          { ...request, rememberWeak: true },
        )
      : await asAgentOrPerson(deps, io, { action, detail: null }, (caller) =>
          vault.put(caller, name, request),
        )
    value.wipe()
    await io.answer(
      {
        path: stored.path,
        id: stored.id,
        vault_id: stored.vaultId,
        type: stored.type,
        version: stored.version,
        replaced: stored.replaced,
        ...(stored.notRedactable === true && { not_redactable: true }),
      },
      () =>
        `Stored ${stored.path} as version ${stored.version}` +
        `${stored.replaced === null ? '' : `, in place of version ${stored.replaced}`}.`,
    )
    if (stored.notRedactable === true)
      await io.say(notRedactableLine(stored.path, args.rememberWeak))
  },
})

function factsOf(args: {
  readonly type: PutRequest['type'] | undefined
  readonly metadata: readonly string[]
  readonly expiresAt: string | undefined
  readonly maxAccessCount: string | undefined
  readonly ifVersion: string | undefined
}): Omit<PutRequest, 'path' | 'value'> {
  const { type, metadata, expiresAt, maxAccessCount, ifVersion } = args
  return {
    ...(type === undefined ? {} : { type }),
    ...(metadata.length === 0 ? {} : { metadata: metadataOption(metadata) }),
    ...(expiresAt === undefined ? {} : { expiresAt: instantOption('--expires-at', expiresAt) }),
    ...(maxAccessCount === undefined
      ? {}
      : { maxAccessCount: wholeNumber('--max-access-count', maxAccessCount, { min: 1 }) }),
    ...(ifVersion === undefined
      ? {}
      : { ifVersion: wholeNumber('--if-version', ifVersion, { min: 0 }) }),
  }
}
