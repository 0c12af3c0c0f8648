import { parseEnvBundle } from './env-bundle.ts'
import { Fault, isFault } from './faults.ts'
import type { Caller } from './principals.ts'
import type { EnvBundle, SecretRead, VaultPort, VaultUse } from './vault-port.ts'

type UseFault = Fault & { readonly code: 'ACCESS_DENIED' | 'SECRET_NOT_FOUND' | 'SECRET_SPENT' }

/** What keeps one reference from being filled, and no other. */
export function isUseFault(error: unknown): error is UseFault {
  return (
    isFault(error, 'ACCESS_DENIED') ||
    isFault(error, 'SECRET_NOT_FOUND') ||
    isFault(error, 'SECRET_SPENT')
  )
}

/**
 * One result for each path that was read. Anything but a refusal of that one path fails them all, and no value stays.
 *
 * @param settled in the order of `paths`
 */
export function usedValues(
  paths: readonly string[],
  settled: readonly PromiseSettledResult<SecretRead>[],
): readonly VaultUse[] {
  const results: VaultUse[] = []
  let failure: unknown = null
  for (const [index, one] of settled.entries()) {
    const path = paths[index] ?? ''
    if (one.status === 'fulfilled') results.push({ path, ...one.value })
    else if (isUseFault(one.reason)) results.push({ path, fault: one.reason.code })
    else failure = one.reason
  }
  if (failure === null) return results
  for (const result of results) if ('value' in result) result.value.wipe()
  throw failure
}

/**
 * `getEnvBundle` of any vault: looked at first, so that a secret of another type spends no read.
 *
 * @throws {Fault} `BAD_INPUT` when the secret is of another type
 */
export async function readEnvBundle(
  vault: Pick<VaultPort, 'describe' | 'get'>,
  caller: Caller,
  name: string,
  path: string,
): Promise<EnvBundle> {
  const { type } = await vault.describe(caller, name, path)
  if (type !== 'env_bundle')
    throw new Fault('BAD_INPUT', `The secret at '${path}' is of type ${type}, not env_bundle.`, {
      details: { field: 'path', path },
    })
  const { info, value } = await vault.get(caller, name, path)
  try {
    return { info, entries: parseEnvBundle(value) }
  } finally {
    value.wipe()
  }
}
