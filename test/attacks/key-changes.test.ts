import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { sleep, systemClock } from '../../src/core/time.ts'
import { keyFileSource } from '../../src/crypto/index.ts'
import { StoreKeys } from '../../src/keys/index.ts'
import {
  createBackups,
  createKeyAdmin,
  createTokens,
  LocalVault,
  VaultKeys,
} from '../../src/vault/index.ts'
import { openTestVault, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, SQLITE, secret, textOf } from '../support/vault-stores.ts'

const V = 'default'
const PROCESS = fileURLToPath(new URL('../support/vault-process.ts', import.meta.url))
const open = new OpenVaults()
afterEach(() => open.close(true))

function put(vault: TestVault, path: string, value: string) {
  return vault.vault.put(PERSON, V, { path, value: secret(value) })
}

function inProcess(vault: TestVault, ...args: string[]): Promise<{ stdout: string }> {
  return promisify(execFile)(process.execPath, [PROCESS, vault.home, ...args])
}

describe('keys that change while others read', () => {
  test('two processes rotate a secret and the keys at once', async () => {
    const vault = await open.fresh(SQLITE)
    await vault.vault.put(PERSON, V, { path: 'p', value: secret('v'), type: 'password' })
    await Promise.all([
      inProcess(vault, 'rotate', '10'),
      inProcess(vault, 'rotate', '10'),
      inProcess(vault, 'rotate-keys', '5'),
    ])
    const info = await vault.vault.describe(PERSON, V, 'p')
    assert.deepEqual([info.version, info.type], [21, 'password'])
    for (let version = 1; version <= 21; version += 1)
      await vault.vault.get(PERSON, V, 'p', version)
  })

  test('rotate and rekey elsewhere fail no read, and tokens and records stay good', async () => {
    const vault = await open.fresh(SQLITE)
    await put(vault, 'p', 'v')
    await put(vault, 'steady', 'v')
    const tokens = await createTokens(vault)
    const { token } = await tokens.create('laptop', null)
    const before = await createKeyAdmin(adminParts(vault)).status()
    const twin = await open.twin(vault)
    const admin = createKeyAdmin(adminParts(twin))
    let isOver = false
    const reading = (async () => {
      for (; !isOver; await sleep(1)) {
        assert.equal(textOf(await vault.vault.get(PERSON, V, 'steady')), 'v')
        await put(vault, 'q', 'w')
        assert.notEqual(await tokens.verify(token.reveal()), null)
      }
    })()
    try {
      for (let i = 0; i < 5; i += 1) {
        assert.equal((await admin.rotate()).vaults, 1)
        await admin.rekey()
      }
      // Others may open the store while its keys change.
      const changing = Promise.all([
        inProcess(vault, 'rekey', '5'),
        inProcess(vault, 'rotate', '3'),
      ])
      const opening = (async () => {
        for (let i = 0; i < 12; i += 1) await open.twin(vault)
      })()
      await Promise.all([changing, opening])
    } finally {
      isOver = true
      await reading
    }
    const after = await admin.status()
    assert.notEqual(after.sealKeyId, before.sealKeyId)
    assert.equal(after.vaultKeys.filter((key) => key.state === 'active').length, 1)
    const keyFile = join(vault.settings.configDir, 'keys', `${vault.keys.storeId}.key`)
    const keys = readFileSync(keyFile, 'utf8')
      .split('\n')
      .filter((line) => /^[^#]/.test(line))
    assert.equal(keys.length, 1, 'seal keys that the store no longer names are forgotten')
    assert.notEqual(await (await createTokens(twin)).verify(token.reveal()), null)
  })

  test('the keys move to a passphrase and back while others read and write', async () => {
    const reader = await open.fresh(SQLITE)
    await put(reader, 'p', 'v')
    let typed = 'violet harbour lantern'
    let asked = 0
    const mover = await openTestVault({
      home: reader.home,
      askUnlock: async () => {
        asked += 1
        // Nobody waits for the person: this one is not inside a transaction.
        await put(reader, 'q', 'written while the person types')
        return secret(typed)
      },
    })
    const choices: string[] = []
    const admin = createKeyAdmin({
      ...mover,
      writeChoice: async (kind) => void choices.push(kind),
    })
    let isOver = false
    const reading = (async () => {
      for (; !isOver; await sleep(1))
        assert.equal(textOf(await reader.vault.get(PERSON, V, 'p')), 'v')
    })()
    try {
      const moved = await admin.changeSource('passphrase')
      assert.deepEqual(moved, { from: 'keyfile', to: 'passphrase' })
      assert.equal((await admin.status()).source, 'passphrase')
      await assert.rejects(admin.changeSource('passphrase'), fault('CONFLICT', /key rekey/))
      await admin.rekey()
      assert.equal(asked, 2)
      // The old source does not open it any more, and no other one is tried.
      const keyFile = join(reader.settings.configDir, 'keys', `${reader.keys.storeId}.key`)
      assert.equal(existsSync(keyFile), false)
      await assert.rejects(
        openTestVault({ home: reader.home }),
        fault('KEY_SOURCE_UNAVAILABLE', /No passphrase in this test/),
      )
      typed = 'not that one at all'
      const wrong = openTestVault({ home: reader.home, askUnlock: async () => secret(typed) })
      await assert.rejects(wrong, fault('KEY_INVALID'))
      typed = 'violet harbour lantern'
      const twin = await openTestVault({
        home: reader.home,
        askUnlock: async () => secret(typed),
      })
      assert.equal(textOf(await twin.vault.get(PERSON, V, 'p')), 'v')
      await twin.close()
      await admin.changeSource('keyfile')
      assert.deepEqual(choices, ['passphrase', 'keyfile'])
    } finally {
      isOver = true
      await reading
      await mover.close()
    }
    assert.equal(textOf(await (await open.twin(reader)).vault.get(PERSON, V, 'p')), 'v')
  })

  test('a rekey between the look at the seal and at its key: the next look opens', async () => {
    const vault = await open.fresh(SQLITE)
    const admin = createKeyAdmin(adminParts(vault))
    const source = keyFileSource(vault.settings)
    let rekeys = 3
    const keys = await StoreKeys.open({
      db: vault.db,
      clock: systemClock,
      sourceOf: () => ({
        ...source,
        async open(ref) {
          if (rekeys-- > 0) await admin.rekey()
          return source.open(ref)
        },
      }),
      firstSource: () => Promise.reject(new Error('the store has keys')),
    })
    assert.equal(keys.storeId, vault.keys.storeId)
    assert.equal(rekeys, -1)
    // Whoever is open meets the new root in the middle of a read or a write, and a backup in its snapshot.
    const replaced = async (): Promise<void> => {
      await admin.rekey()
      rekeys = 3
    }
    await replaced()
    const { id, key } = await vault.db.read((reader) => vault.keys.active(reader, 'cursor'))
    assert.deepEqual(await vault.db.read((reader) => keys.active(reader, 'cursor')), { id, key })
    assert.equal(rekeys, -1)
    await replaced()
    const { heads, ledger } = vault
    const file = join(vault.home, 'while-rekeyed.backup')
    await createBackups({ heads, ledger, keys }).backup(file, 'recovery-key')
    assert.equal(rekeys, -1)
  })

  test('a vault key is replaced by itself before it has wrapped too much', async () => {
    const vault = await open.fresh(SQLITE)
    const port = await LocalVault.open({
      ...vault,
      vaultKeys: new VaultKeys(vault.keys, 4),
      standing: vault.identity.standing,
      actApprovals: vault.approvals.approvals,
      clock: systemClock,
    })
    for (let i = 0; i < 10; i += 1)
      await port.put(PERSON, V, { path: `p/${i}`, value: secret(`value ${i}`) })
    const { vaultKeys } = await createKeyAdmin(adminParts(vault)).status()
    assert.deepEqual(
      vaultKeys.map((key) => [key.state, key.wraps]),
      [
        ['decrypt-only', 3],
        ['decrypt-only', 3],
        ['decrypt-only', 3],
        ['active', 1],
      ],
    )
    for (let i = 0; i < 10; i += 1)
      assert.equal(textOf(await vault.vault.get(PERSON, V, `p/${i}`)), `value ${i}`)
  })

  test('kill -9 in the middle of a rekey leaves a store that opens', async () => {
    const vault = await open.fresh(SQLITE)
    for (let i = 0; i < 5; i += 1) await put(vault, `p/${i}`, `value ${i}`)
    await open.shut(vault)
    for (let round = 0; round < 10; round += 1) {
      const child = spawn(process.execPath, [PROCESS, vault.home, 'rekey', '1000'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      await ready(child)
      await sleep(round * 7)
      const ended = new Promise((resolve) => child.on('exit', resolve))
      child.kill('SIGKILL')
      await ended
      const again = await openTestVault({ home: vault.home })
      for (let i = 0; i < 5; i += 1)
        assert.equal(textOf(await again.vault.get(PERSON, V, `p/${i}`)), `value ${i}`)
      assert.deepEqual((await again.audit.verify()).findings, [])
      await again.close()
    }
  })
})

function adminParts(vault: TestVault) {
  return { ...vault, writeChoice: () => Promise.resolve() }
}

async function ready(child: ChildProcess): Promise<void> {
  for await (const chunk of child.stdout ?? []) if (String(chunk).includes('ready')) return
}
