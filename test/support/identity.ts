import { changeLane } from '../../src/audit/index.ts'
import type { Origin, Role } from '../../src/core/identity-port.ts'
import { newId, type UserId } from '../../src/core/ids.ts'
import { type Caller } from '../../src/core/principals.ts'
import { type EpochMs, systemClock } from '../../src/core/time.ts'
import { newToken, tokenHash, tokenStart } from '../../src/crypto/index.ts'
import { bumpRights } from '../../src/keys/index.ts'
import type { TestVault } from './vault.ts'

export const ORIGIN: Origin = { address: '192.0.2.7', channel: 'http' }

/** An origin of its own, with a throttle of its own. */
export function originOf(n: number): Origin {
  return { address: `198.51.100.${n}`, channel: 'http' }
}

/** Somebody with an account and a personal key, written as people with a browser are. @returns the key */
export async function userWithKey(
  vault: TestVault,
  role: Role,
  scopes: readonly string[] | null = null,
) {
  const { key } = await vault.db.read((reader) => vault.keys.active(reader, 'token-lookup'))
  const token = newToken('1ck_')
  const id = newId<UserId>()
  const keyId = newId<string>()
  const lane = changeLane('test.user', async (tx, _member: null, at) => {
    const { users, userKeys } = vault.identity.tables
    await users.save(tx, [
      {
        id,
        email: `${id}@example.org`,
        name: null,
        role,
        state: 'active',
        password: null,
        created_at: at,
        created_by: 'person:local',
        revision: 1,
      },
    ])
    await userKeys.save(tx, [
      {
        id: keyId,
        user_id: id,
        label: 'test',
        prefix: tokenStart(token),
        digest: tokenHash(key, token),
        scopes: scopes === null ? null : JSON.stringify(scopes),
        created_at: at,
        expires_at: null,
        revoked_at: null,
        revision: 1,
      },
    ])
    await bumpRights(tx)
    return {
      value: null,
      record: {
        kind: 'change',
        action: 'user.create',
        caller: null,
        rows: [
          ['users', id, 1],
          ['user_keys', keyId, 1],
        ],
      },
    }
  })
  await vault.ledger.commit(lane, null)
  return { id, keyId, key: token.reveal() }
}

/** What stands of a caller inside a transaction of its own. */
export function standingOf(vault: TestVault, caller: Caller, at: EpochMs = systemClock()) {
  return vault.db.read((reader) => vault.identity.standing.standingOf(reader, caller, at))
}
