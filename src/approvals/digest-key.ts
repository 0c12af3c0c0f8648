import { createHmac } from 'node:crypto'
import type { Reader } from '../core/db-port.ts'
import { MacKey } from '../crypto/index.ts'
import type { StoreKeys } from '../keys/index.ts'

/** Looks up, once, the key by which a store keeps digests of arguments: all of its processes have the same. */
export function digestKeyOf(keys: Pick<StoreKeys, 'active'>): (reader: Reader) => Promise<MacKey> {
  let derived: MacKey | null = null
  return async (reader) => {
    if (derived !== null) return derived
    const { key } = await keys.active(reader, 'fingerprint')
    derived = new MacKey(createHmac('sha256', key).update('arguments of an approval').digest())
    return derived
  }
}
