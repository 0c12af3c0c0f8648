import { Fault } from '../core/faults.ts'
import { SecretText } from '../core/secret-text.ts'
import type { UseResult } from '../core/vault-port.ts'
import type { EnvEntry } from './env-file.ts'
import { shownName } from './names.ts'
import { parseReferences, REFERENCE_SCHEME, type Reference } from './references.ts'

/** The vault's `use`, bound to a caller and a vault. With `all`, one that fails leaves the others unread and unanswered. */
export type UseSecrets = (
  paths: readonly string[],
  options: { readonly all: boolean },
) => Promise<readonly UseResult[]>

/** For a reference without a value: refuse all, put nothing in its place, or leave it as it was written. */
export const ON_MISSING = ['error', 'empty', 'keep'] as const
export type OnMissing = (typeof ON_MISSING)[number]

/** One variable with its references resolved, on its way to a sink. */
export interface ResolvedEntry {
  readonly name: string
  readonly value: SecretText
}

export type MissingReason = Extract<UseResult, { fault: unknown }>['fault']

export interface MissingSecret {
  readonly path: string
  readonly reason: MissingReason
  /** Variables that refer to it. */
  readonly names: readonly string[]
}

export interface ResolvedEnv {
  readonly entries: readonly ResolvedEntry[]
  /** References that were left empty or as they were. */
  readonly missing: readonly MissingSecret[]
}

const REASONS: Record<MissingReason, string> = {
  SECRET_NOT_FOUND: 'not found',
  ACCESS_DENIED: 'access denied',
  SECRET_SPENT: 'expired or out of reads',
}

/**
 * Resolves the references of all entries with one question to the vault, in which each path stands once.
 *
 * @param remedy of what is missing, where there is more than to store it
 * @throws {Fault} `MISSING_SECRETS` that names every path without a value, `BAD_INPUT` for a reference without a name,
 *   and whatever the vault throws. No value is kept then
 */
export async function resolveEnv(
  entries: readonly EnvEntry[],
  use: UseSecrets,
  onMissing: OnMissing,
  remedy: string | null = null,
): Promise<ResolvedEnv> {
  const templates = entries.map((entry) => ({ entry, references: referencesOf(entry) }))
  const paths = [
    ...new Set(templates.flatMap(({ references }) => references.map(({ path }) => path))),
  ]
  const values = new Map<string, SecretText>()
  const reasons = new Map<string, MissingReason>()
  try {
    const all = onMissing === 'error'
    for (const result of paths.length === 0 ? [] : await use(paths, { all }))
      if ('value' in result) values.set(result.path, result.value)
      else reasons.set(result.path, result.fault)
    const missing = paths
      .filter((path) => !values.has(path) && (reasons.size === 0 || !all || reasons.has(path)))
      .map((path) => ({
        path,
        reason: reasons.get(path) ?? 'SECRET_NOT_FOUND',
        names: templates
          .filter(({ references }) => references.some((one) => one.path === path))
          .map(({ entry }) => entry.name),
      }))
    if (missing.length > 0 && onMissing === 'error') throw missingFault(missing, remedy)
    return {
      entries: templates.map(({ entry, references }) => ({
        name: entry.name,
        value: fill(entry.template, references, values, onMissing),
      })),
      missing,
    }
  } finally {
    for (const value of values.values()) value.wipe()
  }
}

/** `'db/password' (access denied; for PGPASSWORD)` */
export function describeMissing({ path, reason, names }: MissingSecret): string {
  return `${shownName(path)} (${REASONS[reason]}; for ${names.join(', ')})`
}

function missingFault(missing: readonly MissingSecret[], remedy: string | null): Fault {
  const count = missing.length === 1 ? '1 secret has' : `${missing.length} secrets have`
  const cure = missing.some(({ reason }) => reason === 'ACCESS_DENIED')
    ? " What is denied is allowed by a glob under 'run' in .sallyport.yml and then 'sallyport allow'."
    : ''
  return new Fault(
    'MISSING_SECRETS',
    `${count} no value here: ${missing.map(describeMissing).join(', ')}.${cure}`,
    {
      details: {
        missing: missing.map(({ path, reason }) => `${path}: ${REASONS[reason]}`),
        ...(remedy !== null && { remedy }),
      },
    },
  )
}

function referencesOf(entry: EnvEntry): readonly Reference[] {
  const references = parseReferences(entry.template)
  // `secret:///api` or `secret://$NAME`: the child would get the text, and fail far from the cause.
  if (entry.template.split(REFERENCE_SCHEME).length - 1 !== references.length)
    throw new Fault(
      'BAD_INPUT',
      `${entry.origin}: in ${shownName(entry.name)}, '${REFERENCE_SCHEME}' is not followed by the path of a secret.`,
      { details: { field: entry.name } },
    )
  return references
}

/** Joined as bytes: a value becomes text only in the sink. */
function fill(
  template: string,
  references: readonly Reference[],
  values: ReadonlyMap<string, SecretText>,
  onMissing: OnMissing,
): SecretText {
  const parts: Uint8Array[] = []
  let at = 0
  for (const { start, end, path } of references) {
    parts.push(Buffer.from(template.slice(at, start), 'utf8'))
    const value = values.get(path)
    if (value !== undefined) parts.push(value.revealBytes())
    else if (onMissing === 'keep') parts.push(Buffer.from(template.slice(start, end), 'utf8'))
    at = end
  }
  parts.push(Buffer.from(template.slice(at), 'utf8'))
  return new SecretText(Buffer.concat(parts))
}
