import { Fault } from '../../core/faults.ts'
import type { Caller } from '../../core/principals.ts'
import { CHARSETS, type StoredVersion, type VaultPort } from '../../core/vault-port.ts'
import { command, type Io } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { IF_VERSION_OPTION, PATH_ARGUMENT, VAULT_OPTION, wholeNumber } from '../options.ts'
import { asAgentOrPerson } from '../presence.ts'
import { notRedactableLine } from '../secret-view.ts'
import { visible } from '../text.ts'
import { NOT_IN_ARGUMENTS, readValue, VALUE_OPTIONS } from '../value-input.ts'

type Deps = Pick<CliDeps, 'caller' | 'defaultVault' | 'openVault' | 'presence' | 'promptHidden'>

export const secretRotate = command({
  name: 'secret rotate',
  summary: 'Give a secret a new value, made here or your own.',
  about: [
    'A value that is made here is never shown. Type, metadata and limits stay as they are; reads are counted anew.',
  ],
  arguments: [PATH_ARGUMENT],
  options: {
    length: { summary: 'characters of the value that is made: 8 to 1024, else 32', value: 'N' },
    charset: { summary: 'what it is made of', value: 'NAME', choices: CHARSETS },
    store: { summary: 'take the new value from a pipe, a hidden prompt or --file' },
    ...VALUE_OPTIONS,
    ...IF_VERSION_OPTION,
    ...VAULT_OPTION,
  },
  examples: [
    ['sallyport secret rotate db/password --length 40', 'a new random value'],
    ['sallyport secret rotate api/stripe --store', 'type the value the provider gave you'],
  ],
  surplus: NOT_IN_ARGUMENTS,
  async run(args, io, deps: Deps) {
    const work = args.store ? await storing(args, io, deps) : generating(args)
    const vault = await deps.openVault()
    const stored = await asAgentOrPerson(
      deps,
      io,
      { action: `rotate the secret ${args.path}`, detail: null },
      (caller) => work(vault, caller, args.vault ?? deps.defaultVault()),
    )
    await io.answer(
      {
        path: stored.path,
        id: stored.id,
        version: stored.version,
        replaced: stored.replaced,
        ...(stored.notRedactable === true && { not_redactable: true }),
      },
      () => `Rotated ${stored.path}; version ${stored.version} is the current one.`,
    )
    if (stored.notRedactable === true) await io.say(notRedactableLine(stored.path, false))
  },
})

type Rotation = (vault: VaultPort, caller: Caller, name: string) => Promise<StoredVersion>

interface Given {
  readonly path: string
  readonly length: string | undefined
  readonly charset: (typeof CHARSETS)[number] | undefined
  readonly file: string | undefined
  readonly keepNewline: boolean
  readonly encoding: 'utf8' | 'base64' | undefined
  readonly ifVersion: string | undefined
}

function generating(args: Given): Rotation {
  if (args.file !== undefined || args.keepNewline || args.encoding !== undefined)
    throw new Fault('BAD_USAGE', 'To rotate to a value of your own, add --store.')
  const request = {
    path: args.path,
    ...(args.length === undefined
      ? {}
      : { length: wholeNumber('--length', args.length, { min: 8, max: 1024 }) }),
    ...(args.charset === undefined ? {} : { charset: args.charset }),
    ...ifVersion(args),
  }
  return (vault, caller, name) => vault.rotateGenerated(caller, name, request)
}

async function storing(
  args: Given,
  io: Io,
  deps: Pick<CliDeps, 'promptHidden'>,
): Promise<Rotation> {
  if (args.length !== undefined || args.charset !== undefined)
    throw new Fault('BAD_USAGE', '--length and --charset do not go with --store.')
  const condition = ifVersion(args)
  const value = await readValue(args, io, deps, `New value for ${visible(args.path)}`)
  return async (vault, caller, name) => {
    const stored = await vault.rotateAndStore(caller, name, {
      path: args.path,
      value,
      ...condition,
    })
    value.wipe()
    return stored
  }
}

function ifVersion(args: Given): { readonly ifVersion?: number } {
  return args.ifVersion === undefined
    ? {}
    : { ifVersion: wholeNumber('--if-version', args.ifVersion, { min: 0 }) }
}
