import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type FaultCode, isFault } from '../../core/faults.ts'
import type { StoreId } from '../../core/ids.ts'
import { SecretText } from '../../core/secret-text.ts'
import { systemClock } from '../../core/time.ts'
import { hashAtCost } from '../passphrase.ts'
import { serveUnlockAgent } from '../unlock-agent.ts'
import { agentGet, agentPut } from '../unlock-client.ts'
import { unlockSocketPath } from '../unlock-protocol.ts'
import { passphraseSource } from './passphrase.ts'

before(() => hashAtCost('recommended'))
after(() => hashAtCost('least'))

const root = await mkdtemp(join(tmpdir(), 'spt-pass-'))
after(() => rm(root, { recursive: true, force: true }))
const socketPath = unlockSocketPath(root)
const storeId = '11111111-2222-4333-8444-555555555555' as StoreId

const typing = (text: string, asked: string[] = []) =>
  passphraseSource({
    socketPath,
    async askPassphrase(purpose) {
      asked.push(purpose)
      return SecretText.fromText(text)
    },
  })
const nobody = passphraseSource({ socketPath })
const fault = (code: FaultCode, says: RegExp) => (error: unknown) => {
  assert.ok(isFault(error, code), String(error))
  assert.match(error.message, says)
  return true
}

const asked: string[] = []
const made = await typing('caf\u00e9 noir 12', asked).create(storeId, 'k1')
const ref = { storeId, sealKeyId: 'k1', params: made.params }

test('passphrase source: the record holds cost, salt and a check, and no key', () => {
  assert.deepEqual(asked, ['new-unlock'])
  const { salt, check, ...rest } = JSON.parse(made.params) as Record<string, unknown>
  assert.deepEqual(rest, { algorithm: 'argon2id', memoryKiB: 65_536, passes: 3, parallelism: 4 })
  assert.match(String(salt), /^[A-Za-z0-9_-]{22}$/)
  assert.match(String(check), /^[A-Za-z0-9_-]{11}$/)
  assert.equal(made.key.length, 32)
})

test('passphrase source: the same passphrase opens, typed in another form too', async () => {
  assert.deepEqual(await typing('cafe\u0301 noir 12').open(ref), made.key)
})

test('passphrase source: another passphrase is said to be wrong', async () => {
  await assert.rejects(
    typing('cafe noir 12').open(ref),
    fault('KEY_INVALID', /^The passphrase is wrong\.$/),
  )
})

test('passphrase source: nobody to ask means locked', async () => {
  await assert.rejects(nobody.open(ref), fault('VAULT_LOCKED', /sallyport unlock/))
  await assert.rejects(nobody.create(storeId, 'k2'), fault('VAULT_LOCKED', /--passphrase-fd/))
})

test('passphrase source: a new passphrase must be good enough', async () => {
  await assert.rejects(
    typing('short').create(storeId, 'k2'),
    fault('BAD_INPUT', /at least 8 characters/),
  )
})

for (const [what, check] of [
  ['none', undefined],
  ['empty', ''],
  ['short', 'AAAAAAAAAA'],
  ['long', 'AAAAAAAAAAAA'],
  ['a number', 8],
] as const)
  test(`passphrase source: a check that is ${what} is damage, never a pass`, async () => {
    const params = JSON.stringify({ ...JSON.parse(made.params), check })
    await assert.rejects(
      typing('caf\u00e9 noir 12').open({ ...ref, params }),
      fault('KEY_INVALID', /damaged \(check\)/),
    )
  })

test('passphrase source: an unlocked agent opens without asking, until the key is forgotten', async (t) => {
  const agent = await serveUnlockAgent({ socketPath, idleMs: 60_000, clock: systemClock })
  t.after(() => agent.close())
  await assert.rejects(nobody.open(ref), fault('VAULT_LOCKED', /is locked/))
  await agentPut(socketPath, ref, made.key)
  assert.deepEqual(await nobody.open(ref), made.key)
  const never: string[] = []
  assert.deepEqual(await typing('not even read', never).open(ref), made.key)
  assert.deepEqual(never, [])

  await agentPut(socketPath, ref, Buffer.alloc(32))
  await assert.rejects(
    nobody.open(ref),
    fault('KEY_INVALID', /agent holds another key; run sallyport lock/),
  )
  await nobody.forget(ref)
  assert.equal(await agentGet(socketPath, ref), null)
  await agent.close()
  await nobody.forget(ref)
})
