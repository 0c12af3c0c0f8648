import { changeLane } from '../../src/audit/index.ts'
import type { ApprovalAct, ApprovalRequest } from '../../src/core/approval-port.ts'
import { jsonDigest } from '../../src/core/canonical-json.ts'
import type { Role } from '../../src/core/identity-port.ts'
import { newId, type UserId } from '../../src/core/ids.ts'
import type { Access, Caller } from '../../src/core/principals.ts'
import { type Clock, type EpochMs, epochMs } from '../../src/core/time.ts'
import { bumpRights } from '../../src/keys/index.ts'
import type { TestVault } from './vault.ts'

export const T0 = 1_800_000_000_000

/** A clock that a test moves. */
export function steppedClock(): { readonly clock: Clock; readonly step: (ms: number) => void } {
  let now = T0
  return { clock: () => epochMs(now), step: (ms) => (now += ms) }
}

/** A call of a tool, the same for the same text. */
export function act(text = 'one', rest: Partial<ApprovalAct> = {}): ApprovalAct {
  return {
    action: 'gateway.call',
    target: { type: 'tool', id: 'files/write_file' },
    argumentsDigest: jsonDigest({ text }),
    policyRevision: 'r1',
    ...rest,
  }
}

export function request(text = 'one', rest: Partial<ApprovalRequest> = {}): ApprovalRequest {
  return {
    ...act(text),
    preview: { title: 'Write a file', fields: [{ label: 'path', value: 'notes/today' }] },
    ...rest,
  }
}

export interface SignedIn {
  readonly id: UserId
  readonly sessionId: string
  readonly caller: Caller
  /** The same person with another proof, or with something else in the hand. */
  as(change: Partial<Access>): Caller
}

/** Somebody with an account and a session in a browser, written as a sign-in writes them. */
export async function signedIn(vault: TestVault, role: Role, at: EpochMs): Promise<SignedIn> {
  const id = newId<UserId>()
  const sessionId = newId<string>()
  const lane = changeLane('test.sign-in', async (tx, _member: null) => {
    const { users, userSessions } = vault.identity.tables
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
    await userSessions.save(tx, [
      {
        id: sessionId,
        user_id: id,
        digest: Buffer.from(sessionId),
        via: 'password',
        address: null,
        agent: null,
        created_at: at,
        seen_at: at,
        stepped_up_at: at,
        ends_at: epochMs(at + 7 * 86_400_000),
        revision: 1,
      },
    ])
    await bumpRights(tx)
    return {
      value: null,
      record: {
        kind: 'change',
        action: 'test.sign-in',
        caller: null,
        rows: [
          ['users', id, 1],
          ['user_sessions', sessionId, 1],
        ],
      },
    }
  })
  await vault.ledger.commit(lane, null)
  const access: Access = {
    credential: { kind: 'session', id: sessionId },
    scopes: null,
    vaultIds: null,
    expiresAt: null,
    address: null,
    steppedUpAt: at,
  }
  const as = (change: Partial<Access>): Caller => ({
    principal: { kind: 'user', id },
    channel: 'page',
    access: { ...access, ...change },
  })
  return { id, sessionId, caller: as({}), as }
}

/** A change to a person's account, as administration writes it. */
export async function changePerson(
  vault: TestVault,
  id: UserId,
  change: { readonly state?: 'disabled'; readonly role?: Role },
): Promise<void> {
  const lane = changeLane('test.change', async (tx, _member: null) => {
    const { users } = vault.identity.tables
    const row = await users.get(tx, 'id = ?', [id])
    if (row === null) throw new Error('nobody has that id')
    const next = { ...row, ...change, revision: row.revision + 1 }
    await users.save(tx, [next])
    await bumpRights(tx)
    return {
      value: null,
      record: {
        kind: 'change',
        action: 'test.change',
        caller: null,
        rows: [['users', id, next.revision]],
      },
    }
  })
  await vault.ledger.commit(lane, null)
}
