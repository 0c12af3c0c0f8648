import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, test } from 'node:test'
import { restoreBackup } from '../../src/app/restore.ts'
import { type Environment, loadSettings } from '../../src/core/config.ts'
import type { SecretText } from '../../src/core/secret-text.ts'
import { systemClock } from '../../src/core/time.ts'
import { keyFileSource } from '../../src/crypto/index.ts'
import {
  createBackups,
  createKeyAdmin,
  createTokens,
  LocalPresence,
} from '../../src/vault/index.ts'
import { openTestVault, PERSON, type TestVault } from '../support/vault.ts'
import {
  fault,
  OpenVaults,
  POSTGRES,
  SQLITE,
  secret,
  textOf,
  type VaultStore,
} from '../support/vault-stores.ts'

const V = 'default'
const PHRASE = 'violet harbour lantern'
const PRESENCE = 'quiet marble orchard'
const open = new OpenVaults()
const homes: string[] = []
afterEach(async () => {
  await open.close(true)
  for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true })
})

interface Place {
  readonly home: string
  readonly env: Environment
}

/** A home that holds nothing: no configuration, no keys, no store. */
async function emptyPlace(store: VaultStore): Promise<Place> {
  const home = mkdtempSync(join(tmpdir(), 'sallyport-restore-'))
  homes.push(home)
  return { home, env: await store.empty() }
}

function restoreAt(place: Place, file: string, typed: SecretText) {
  const settings = loadSettings({
    SALLYPORT_HOME: place.home,
    SALLYPORT_KEY_SOURCE: 'keyfile',
    ...place.env,
  })
  return restoreBackup({
    settings,
    file,
    sourceOf: () => keyFileSource(settings),
    ask: () => Promise.resolve(typed),
  })
}

function gateOf(vault: TestVault, answer: string): LocalPresence {
  return new LocalPresence({
    db: vault.db,
    ledger: vault.ledger,
    tables: vault.tables,
    clock: systemClock,
    ask: () => Promise.resolve(secret(answer)),
    system: null,
  })
}

/** 64,000 characters. */
function bulk(i: number): string {
  return String(i).padStart(4, '0').repeat(16_000)
}

/** A store with everything that a backup must carry. */
async function lived(store: VaultStore): Promise<{ vault: TestVault; token: string }> {
  const vault = await open.fresh(store)
  const put = (path: string, value: string, rest: object = {}) =>
    vault.vault.put(PERSON, V, { path, value: secret(value), ...rest })
  await put('a', 'one', { type: 'note', metadata: { k: 'v' }, maxAccessCount: 5 })
  await put('a', 'two', { maxAccessCount: 5 })
  await vault.vault.get(PERSON, V, 'a')
  await vault.vault.get(PERSON, V, 'a', 1)
  await put('gone', 'three')
  await vault.vault.delete(PERSON, V, 'gone')
  // More than one chunk of the file.
  for (let i = 0; i < 24; i += 1) await put(`big/${i}`, bulk(i))
  const { token } = await (await createTokens(vault)).create('laptop', '/somewhere')
  await gateOf(vault, PRESENCE).set()
  return { vault, token: token.reveal() }
}

async function assertSame(vault: TestVault, token: string): Promise<void> {
  const info = await vault.vault.describe(PERSON, V, 'a')
  assert.deepEqual(
    [info.version, info.type, info.metadata, info.accessCount, info.maxAccessCount],
    [2, 'note', { k: 'v' }, 1, 5],
  )
  assert.equal(textOf(await vault.vault.get(PERSON, V, 'a')), 'two')
  const older = await vault.vault.get(PERSON, V, 'a', 1)
  assert.deepEqual([textOf(older), older.info.accessCount], ['one', 2])
  for (let i = 0; i < 24; i += 1)
    assert.equal(textOf(await vault.vault.get(PERSON, V, `big/${i}`)), bulk(i))
  await assert.rejects(vault.vault.get(PERSON, V, 'gone'), fault('SECRET_NOT_FOUND'))
  await vault.vault.undelete(PERSON, V, 'gone')
  assert.equal((await (await createTokens(vault)).verify(token))?.project, '/somewhere')
  const proved = await gateOf(vault, PRESENCE).prove({ action: 'test', detail: null })
  assert.equal(proved, 'passphrase')
  const wrong = gateOf(vault, 'something else').prove({ action: 'test', detail: null })
  await assert.rejects(wrong, fault('PRESENCE_REFUSED'))
}

const WAYS: readonly [from: VaultStore, to: VaultStore, sealedTo: 'passphrase' | 'recovery-key'][] =
  [
    [SQLITE, SQLITE, 'passphrase'],
    [SQLITE, SQLITE, 'recovery-key'],
    [SQLITE, POSTGRES, 'recovery-key'],
    [POSTGRES, SQLITE, 'passphrase'],
  ]
for (const [from, to, sealedTo] of WAYS)
  test(`from ${from.name} to ${to.name} by ${sealedTo}`, {
    skip: from.skip || to.skip,
  }, async () => {
    const { vault, token } = await lived(from)
    const file = join(vault.home, 'vault.backup')
    const passphrase = { passphrase: secret(PHRASE) }
    const seal = sealedTo === 'passphrase' ? passphrase : sealedTo
    const made = await createBackups(vault).backup(file, seal)
    const typed = (): SecretText => made.recoveryKey?.copy() ?? secret(PHRASE)
    assert.ok(made.records > 60)
    assert.equal(made.recoveryKey === null, sealedTo === 'passphrase')
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const bytes = readFileSync(file)
    for (const plain of [PHRASE, PRESENCE, 'laptop', '/somewhere', 'big/3'])
      assert.equal(bytes.includes(plain), false, `${plain} stands in the backup`)
    // What happens after the backup is not in it.
    await vault.vault.put(PERSON, V, { path: 'later', value: secret('x') })

    const place = await emptyPlace(to)
    const done = await restoreAt(place, file, typed())
    assert.ok(done.records > 30)
    assert.match(done.note, /keyfile/)
    const restored = await openTestVault(place)
    try {
      assert.equal(restored.keys.storeId, vault.keys.storeId)
      assert.deepEqual((await restored.audit.verify()).findings, [])
      await assertSame(restored, token)
      await assert.rejects(restored.vault.get(PERSON, V, 'later'), fault('SECRET_NOT_FOUND'))
      // Its own keys now: both stores go on by themselves.
      await createKeyAdmin({ ...restored, writeChoice: () => Promise.resolve() }).rekey()
      assert.equal(textOf(await restored.vault.get(PERSON, V, 'a')), 'two')
      const [record] = await restored.audit.query({ action: 'store.restore' })
      const { detail } = JSON.parse(record?.body ?? '{}') as { detail: Record<string, unknown> }
      assert.equal(detail['foundHead'], 'missing')
      assert.deepEqual((await restored.audit.verify()).findings, [])
      assert.equal((await restored.audit.verify()).head?.size, (await restored.audit.verify()).size)
    } finally {
      await restored.close()
    }
    assert.equal(textOf(await vault.vault.get(PERSON, V, 'later')), 'x')
    // A store in use is not overwritten, nor is a file.
    await assert.rejects(restoreAt(place, file, typed()), fault('CONFLICT', /store is in use/))
    await assert.rejects(createBackups(vault).backup(file, passphrase), fault('CONFLICT'))
  })

describe('a backup that is not whole', () => {
  test('a wrong key, a cut, a flipped byte, chunks in another order: refused, and nothing is left', async () => {
    const { vault } = await lived(SQLITE)
    const file = join(vault.home, 'vault.backup')
    const { recoveryKey } = await createBackups(vault).backup(file, 'recovery-key')
    assert.ok(recoveryKey !== null)
    const other = await createBackups(vault).backup(
      join(vault.home, 'other.backup'),
      'recovery-key',
    )
    const whole = readFileSync(file)
    const start = whole.indexOf(0x0a) + 1
    const chunks: Buffer[] = []
    for (let at = start; at < whole.length; ) {
      const end = at + 4 + whole.readUInt32BE(at)
      chunks.push(whole.subarray(at, end))
      at = end
    }
    assert.ok(chunks.length >= 3, `${chunks.length} chunks`)
    const header = whole.subarray(0, start)
    const [first, second] = chunks
    assert.ok(first !== undefined && second !== undefined)
    const flipped = (at: number): Buffer => {
      const bytes = Buffer.from(whole)
      bytes[at]! ^= 1
      return bytes
    }
    const edited = (change: (header: Record<string, unknown>) => void): Buffer => {
      const parsed = JSON.parse(header.toString('utf8')) as Record<string, unknown>
      change(parsed)
      return Buffer.concat([Buffer.from(`${JSON.stringify(parsed)}\n`), ...chunks])
    }
    const place = await emptyPlace(SQLITE)
    const damaged = join(vault.home, 'damaged.backup')
    const cases: readonly [what: string, bytes: Buffer, code: RegExp][] = [
      ['empty', Buffer.alloc(0), /^BAD_INPUT/],
      ['header only', header, /^BAD_INPUT .*end is missing/],
      ['half a header', header.subarray(0, 40), /^BAD_INPUT/],
      ['the last byte is missing', whole.subarray(0, -1), /^BAD_INPUT/],
      ['the last chunk is missing', Buffer.concat([header, ...chunks.slice(0, -1)]), /^BAD_INPUT/],
      ['cut inside a chunk', whole.subarray(0, start + 1_000), /^BAD_INPUT/],
      ['a chunk twice', Buffer.concat([header, first, ...chunks]), /^BAD_INPUT/],
      [
        'two chunks swapped',
        Buffer.concat([header, second, first, ...chunks.slice(2)]),
        /^BAD_INPUT/,
      ],
      ['a byte at the end', Buffer.concat([whole, Buffer.from('x')]), /^BAD_INPUT/],
      ['a flipped byte in the middle', flipped(start + 5_000), /^BAD_INPUT/],
      ['a flipped byte at the end', flipped(whole.length - 1), /^BAD_INPUT/],
      ['a huge length', Buffer.concat([header, Buffer.from([255, 255, 255, 255])]), /^BAD_INPUT/],
      ['another backup id', edited((one) => (one['backupId'] = 'x')), /^KEY_INVALID/],
      ['another store', edited((one) => (one['storeId'] = 'x')), /^KEY_INVALID/],
      ['another format', edited((one) => (one['sallyport-backup'] = 2)), /^BAD_INPUT/],
      ['a number for a text', edited((one) => (one['sealedRoot'] = 5)), /^BAD_INPUT/],
      ['null', Buffer.from('null\n'), /^BAD_INPUT/],
    ]
    for (const [what, bytes, expected] of cases) {
      writeFileSync(damaged, bytes)
      await assert.rejects(restoreAt(place, damaged, recoveryKey.copy()), (error: unknown) => {
        assert.ok(error instanceof Error && 'code' in error)
        assert.match(`${String(error.code)} ${error.message}`, expected, what)
        return true
      })
    }
    const wrong = fault('KEY_INVALID', /^That is not the recovery key of this backup\.$/)
    assert.ok(other.recoveryKey !== null)
    await assert.rejects(restoreAt(place, file, other.recoveryKey), wrong)
    await assert.rejects(restoreAt(place, file, secret('not a key')), fault('BAD_INPUT'))
    await assert.rejects(
      restoreAt(place, join(vault.home, 'absent'), recoveryKey.copy()),
      fault('BAD_INPUT'),
    )
    // After all of that the place is as good as new, and the whole file restores into it.
    await restoreAt(place, file, recoveryKey)
    const restored = await openTestVault(place)
    assert.equal(textOf(await restored.vault.get(PERSON, V, 'a')), 'two')
    await restored.close()
  })

  test('a wrong passphrase is refused, a short one is not taken', async () => {
    const vault = await open.fresh(SQLITE)
    const file = join(vault.home, 'vault.backup')
    await createBackups(vault).backup(file, { passphrase: secret(PHRASE) })
    const place = await emptyPlace(SQLITE)
    const wrong = restoreAt(place, file, secret(`${PHRASE} `))
    await assert.rejects(wrong, fault('KEY_INVALID', /not the passphrase of this backup/))
    const short = createBackups(vault).backup(`${file}2`, { passphrase: secret('x') })
    await assert.rejects(short, fault('BAD_INPUT'))
  })
})

test('a backup by a handle that did not see a rekey elsewhere restores', async () => {
  const vault = await open.fresh(SQLITE)
  await vault.vault.put(PERSON, V, { path: 'a', value: secret('one') })
  const twin = await open.twin(vault)
  await createKeyAdmin({ ...twin, writeChoice: () => Promise.resolve() }).rekey()
  const file = join(vault.home, 'vault.backup')
  await createBackups(vault).backup(file, { passphrase: secret(PHRASE) })
  const place = await emptyPlace(SQLITE)
  await restoreAt(place, file, secret(PHRASE))
  const restored = await openTestVault(place)
  assert.equal(textOf(await restored.vault.get(PERSON, V, 'a')), 'one')
  await restored.close()
})

test('restored in the place of a lost store, the record names both heads', async () => {
  const vault = await open.fresh(SQLITE)
  await vault.vault.put(PERSON, V, { path: 'a', value: secret('one') })
  const file = join(vault.home, 'vault.backup')
  await createBackups(vault).backup(file, { passphrase: secret(PHRASE) })
  await vault.vault.put(PERSON, V, { path: 'b', value: secret('two') })
  await vault.ledger.flush()
  const before = await vault.audit.verify()
  await open.shut(vault)
  rmSync(vault.settings.dataDir, { recursive: true })
  const lost = openTestVault({ home: vault.home })
  await assert.rejects(lost, fault('STORE_TAMPERED', /restore a backup/))
  await restoreAt({ home: vault.home, env: {} }, file, secret(PHRASE))
  const restored = await open.twin(vault)
  const [record] = await restored.audit.query({ action: 'store.restore' })
  const { detail } = JSON.parse(record?.body ?? '{}') as { detail: Record<string, unknown> }
  assert.deepEqual(
    [detail['foundHead'], detail['foundSize'], detail['foundRoot']],
    ['valid', before.size, before.root],
  )
  // The other head is that of the restored records, right before this one.
  assert.equal(detail['adoptedSize'], (record?.seq ?? 0) - 1)
  assert.match(String(detail['adoptedRoot']), /^[0-9a-f]{64}$/)
  assert.deepEqual((await restored.audit.verify()).findings, [])
  assert.equal(textOf(await restored.vault.get(PERSON, V, 'a')), 'one')
})
