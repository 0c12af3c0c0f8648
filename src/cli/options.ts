import { Fault } from '../core/faults.ts'
import type { SecretText } from '../core/secret-text.ts'
import { type EpochMs, epochMs, parseInstant } from '../core/time.ts'
import type { Metadata } from '../core/vault-port.ts'
import { type CliDeps, VERDICTS, type Verdict } from './deps.ts'

/** The option of every command that works in a vault. */
export const VAULT_OPTION = {
  vault: { summary: 'name or id of the vault; SALLYPORT_VAULT, else default', value: 'NAME' },
} as const

/** The option of every command that would change a secret only while nobody else did. */
export const IF_VERSION_OPTION = {
  ifVersion: {
    summary: 'only while this version is the current one; 0: only where nothing is',
    value: 'N',
  },
} as const

/** The option of every command that may need the passphrase of the keys, for machines without a screen. */
export const PASSPHRASE_OPTION = {
  passphraseFd: {
    summary: 'read the passphrase of the keys from this open file descriptor',
    value: 'FD',
  },
} as const

/** The argument of every command about one secret. */
export const PATH_ARGUMENT = { name: 'path', summary: 'the secret: folder/name' } as const

/** The option of every command that gives verdicts. */
export const FAIL_ON_OPTION = {
  failOn: {
    summary: 'exit with 1 from this verdict on',
    value: 'VERDICT',
    choices: ['warning', 'suspicious', 'malicious'],
  },
} as const

/** The options of every command that changes the rules of inspection: where the rule holds. */
export const RULE_SCOPE_OPTIONS = {
  tool: { summary: 'only in calls of this tool', value: 'NAME' },
  server: { summary: 'only at this server; the secrets server is sallyport', value: 'NAME' },
  agent: { summary: 'only for this agent, such as agent:local', value: 'NAME' },
} as const

/** Whether one of the verdicts is as bad as the option says. */
export function failsOn(failOn: Verdict | undefined, verdicts: readonly Verdict[]): boolean {
  if (failOn === undefined) return false
  return verdicts.some((one) => VERDICTS.indexOf(one) >= VERDICTS.indexOf(failOn))
}

/** @throws {Fault} `BAD_INPUT` naming the option when the text is not a whole number in range */
export function wholeNumber(
  option: string,
  text: string,
  range: { readonly min: number; readonly max?: number },
): number {
  const { min, max = Number.MAX_SAFE_INTEGER } = range
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value) || value < min || value > max)
    throw new Fault(
      'BAD_INPUT',
      max === Number.MAX_SAFE_INTEGER
        ? `${option} must be a whole number, ${min} or more.`
        : `${option} must be a whole number between ${min} and ${max}.`,
      { details: { field: option } },
    )
  return value
}

/** @throws {Fault} `BAD_INPUT` naming the option when the text is no RFC 3339 instant with a zone */
export function instantOption(option: string, text: string): EpochMs {
  const at = parseInstant(text)
  if (at === null)
    throw new Fault(
      'BAD_INPUT',
      `${option} must be a date and time with a zone, such as 2027-01-31T12:00:00Z.`,
      { details: { field: option } },
    )
  return at
}

const LENGTHS = { h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
const LENGTH = /^(\d{1,4})([hdw])$/

/**
 * A date and time, or a length of time from now: `12h`, `7d`, `4w`.
 *
 * @throws {Fault} `BAD_INPUT` naming the option
 */
export function momentOption(
  option: string,
  text: string,
  way: 'ago' | 'ahead',
  now: EpochMs,
): EpochMs {
  const [, count, unit] = LENGTH.exec(text) ?? []
  if (count !== undefined && (unit === 'h' || unit === 'd' || unit === 'w')) {
    const length = Number(count) * LENGTHS[unit]
    return epochMs(way === 'ago' ? now - length : now + length)
  }
  const at = parseInstant(text)
  if (at === null)
    throw new Fault(
      'BAD_INPUT',
      `${option} must be a length of time such as 12h, 7d or 4w, or a date and time with a zone, such as 2027-01-31T12:00:00Z.`,
      { details: { field: option } },
    )
  return at
}

/** `KEY=VALUE` each. @throws {Fault} `BAD_INPUT` for a pair without `=`, an empty key or one given twice */
export function metadataOption(pairs: readonly string[]): Metadata {
  const entries = new Map<string, string>()
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    const key = pair.slice(0, at)
    if (at < 1 || entries.has(key))
      throw new Fault(
        'BAD_INPUT',
        at < 1 ? '--metadata takes KEY=VALUE.' : `--metadata names '${key}' twice.`,
        { details: { field: '--metadata' } },
      )
    entries.set(key, pair.slice(at + 1))
  }
  return Object.fromEntries(entries)
}

/** Hands the passphrase of `--passphrase-fd` to the keys before they are opened. */
export async function takePassphrase(
  fd: string | undefined,
  deps: Pick<CliDeps, 'readFd' | 'usePassphrase'>,
): Promise<void> {
  if (fd !== undefined) deps.usePassphrase(await passphraseFrom(fd, deps))
}

/** @throws {Fault} `BAD_INPUT` when the descriptor is no number, or not open */
export function passphraseFrom(fd: string, deps: Pick<CliDeps, 'readFd'>): Promise<SecretText> {
  return deps.readFd(wholeNumber('--passphrase-fd', fd, { min: 0, max: 1023 }))
}
