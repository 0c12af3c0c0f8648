import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { epochMs } from '../../src/core/time.ts'
import { AGENT, PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE, secret, textOf } from '../support/vault-stores.ts'

const V = 'default'
const DAY = 24 * 3_600_000

function strong(): string {
  return `tk_${randomBytes(24).toString('base64url')}`
}

async function redacted(vault: TestVault, principal: string, text: string): Promise<string> {
  return (await vault.knownTo.of(principal)).redact(text).text
}

for (const store of [SQLITE, POSTGRES])
  describe(`what is remembered of values, ${store.name}`, { skip: store.skip }, () => {
    const open = new OpenVaults()
    after(() => open.close(true))

    test('what an agent stored or was given is redacted, what another was given is not', async () => {
      const vault = await open.fresh(store)
      const [stored, given, other] = [strong(), strong(), strong()]
      await vault.vault.put(AGENT, V, { path: 'own', value: secret(stored) })
      await vault.vault.put(PERSON, V, { path: 'given', value: secret(given) })
      await vault.vault.put(PERSON, V, { path: 'other', value: secret(other) })
      const text = `${stored} ${given} ${Buffer.from(other).toString('hex')}`
      assert.equal(
        await redacted(vault, 'agent:local', text),
        text.replace(stored, '[REDACTED:own]'),
      )
      assert.equal(
        await redacted(vault, 'person:local', text),
        `${stored} [REDACTED:given] [REDACTED:other]`,
      )
      assert.equal(await redacted(vault, 'agent:nobody', text), text)
    })

    test('a value given out is known to the principal it was given to, in every process, within a second', async () => {
      const vault = await open.fresh(store)
      const twin = await open.twin(vault)
      const value = strong()
      await vault.vault.put(AGENT, V, { path: 'a', value: secret(value) })
      assert.equal(await redacted(twin, 'person:local', value), value)
      assert.equal(textOf(await vault.vault.get(PERSON, V, 'a')), value)
      assert.equal(await redacted(vault, 'person:local', value), '[REDACTED:a]')
      const until = performance.now() + 1_500
      while ((await redacted(twin, 'person:local', value)) === value && performance.now() < until)
        await new Promise((resolve) => setTimeout(resolve, 20))
      assert.equal(await redacted(twin, 'person:local', value), '[REDACTED:a]')
    })

    test('versions stored before anything was remembered are remembered when they are given out', async () => {
      const vault = await open.fresh(store)
      const value = strong()
      await vault.vault.put(PERSON, V, { path: 'a', value: secret(value) })
      await vault.db.write(async (tx) => {
        for (const table of ['fingerprints', 'remembered_versions', 'known_versions'])
          await tx.run(`delete from ${table}`)
        await tx.run('update known_revision set revision = 5')
      })
      const twin = await open.twin(vault)
      assert.equal(await redacted(twin, 'person:local', value), value)
      await twin.vault.get(PERSON, V, 'a')
      assert.equal(await redacted(twin, 'person:local', `x${value}x`), 'x[REDACTED:a]x')
    })

    test('each line of a private key is known by itself, also of one stored when lines were not', async () => {
      const vault = await open.fresh(store)
      const pem = generateKeyPairSync('rsa', { modulusLength: 1_024 })
        .privateKey.export({ format: 'pem', type: 'pkcs8' })
        .toString()
      const numbered = pem
        .trim()
        .split('\n')
        .slice(0, -2)
        .map((line, index) => `${index}\t${line}`)
        .join('\n')
      const shown = numbered.replaceAll(/\t[^-].*/g, '\t[REDACTED:a]')
      await vault.vault.put(PERSON, V, { path: 'a', type: 'private_key', value: secret(pem) })
      assert.equal(await redacted(vault, 'person:local', numbered), shown)
      await vault.db.write(async (tx) => {
        await tx.run(`delete from fingerprints where variant like 'line%'`)
        await tx.run('update remembered_versions set by_line = 0')
        await tx.run('update known_revision set revision = 5')
      })
      const twin = await open.twin(vault)
      assert.equal(await redacted(twin, 'person:local', numbered), numbered)
      assert.equal(await redacted(twin, 'person:local', pem), '[REDACTED:a]\n')
      await twin.vault.get(PERSON, V, 'a')
      assert.equal(await redacted(twin, 'person:local', numbered), shown)
    })

    test('a replaced version stays known for thirty days after it was last given out', async () => {
      let now = Date.UTC(2026, 0, 1)
      const vault = await open.fresh(store, () => epochMs(now))
      const [first, second] = [strong(), strong()]
      await vault.vault.put(PERSON, V, { path: 'a', value: secret(first) })
      now += 40 * DAY
      assert.equal(await redacted(vault, 'person:local', first), '[REDACTED:a]', 'it is current')
      await vault.vault.rotateAndStore(PERSON, V, { path: 'a', value: secret(second) })
      now += 29 * DAY
      await vault.vault.put(PERSON, V, { path: 'b', value: secret(strong()) })
      assert.equal(
        await redacted(vault, 'person:local', `${first} ${second}`),
        '[REDACTED:a] [REDACTED:a]',
      )
      now += 2 * DAY
      await vault.vault.put(PERSON, V, { path: 'b', value: secret(strong()) })
      assert.equal(
        await redacted(vault, 'person:local', `${first} ${second}`),
        `${first} [REDACTED:a]`,
      )
      await vault.vault.get(PERSON, V, 'a', 1)
      assert.equal(await redacted(vault, 'person:local', first), '[REDACTED:a]', 'given out again')
    })

    test('deleted and destroyed values stay known for thirty days', async () => {
      let now = Date.UTC(2026, 0, 1)
      const vault = await open.fresh(store, () => epochMs(now))
      const [deleted, destroyed] = [strong(), strong()]
      await vault.vault.put(PERSON, V, { path: 'deleted', value: secret(deleted) })
      await vault.vault.put(PERSON, V, { path: 'destroyed', value: secret(destroyed) })
      await vault.vault.delete(PERSON, V, 'deleted')
      await vault.vault.destroy(PERSON, V, 'destroyed')
      const text = `${deleted} ${destroyed}`
      now += 29 * DAY
      assert.equal(
        await redacted(vault, 'person:local', text),
        '[REDACTED:deleted] [REDACTED:destroyed]',
      )
      now += 2 * DAY
      await vault.vault.put(PERSON, V, { path: 'b', value: secret(strong()) })
      assert.equal(await redacted(vault, 'person:local', text), text)
      const left = await vault.db.read((reader) =>
        reader.all('select distinct secret_id from fingerprints'),
      )
      assert.equal(left.length, 1, 'only of b')
    })

    test('a value that can be guessed is stored, not remembered, and the answer says so', async () => {
      const vault = await open.fresh(store)
      for (const value of [
        'hunter2',
        'correct horse battery staple',
        '1234567890123456',
        'aaaaaaaaaaaaaaaaaaaaaaaa',
      ]) {
        const { notRedactable } = await vault.vault.put(PERSON, V, {
          path: 'weak',
          value: secret(value),
        })
        assert.equal(notRedactable, true, value)
        assert.equal(await redacted(vault, 'person:local', value), value)
      }
      const { notRedactable } = await vault.vault.put(PERSON, V, {
        path: 'a',
        value: secret(strong()),
      })
      assert.equal(notRedactable, undefined)
      const rows = await vault.db.read((reader) =>
        reader.all('select secret_id from remembered_versions where redactable = 0'),
      )
      assert.equal(rows.length, 4)
    })

    test('by the word of the person, and of nobody else, a value that can be guessed is remembered', async () => {
      const vault = await open.fresh(store)
      const request = { path: 'weak', value: secret('hunter2-hunter2'), rememberWeak: true }
      for (const asked of [false, true])
        await assert.rejects(vault.vault.put(AGENT, V, { ...request, asked }), {
          code: 'ACCESS_DENIED',
          message: 'Only the person may have a value remembered that can be guessed.',
        })
      const { notRedactable } = await vault.vault.put(PERSON, V, request)
      assert.equal(notRedactable, undefined)
      const text = `a ${Buffer.from('hunter2-hunter2').toString('base64')} b`
      assert.equal(await redacted(vault, 'person:local', text), 'a [REDACTED:weak] b')
      const [entry] = await vault.audit.query({ action: 'secret.put' })
      assert.match(entry?.body ?? '', /"detail":\{"remember_weak":true\}/)
      // Eight characters are the least that a window takes.
      const short = await vault.vault.put(PERSON, V, {
        path: 'short',
        value: secret('1234567'),
        rememberWeak: true,
      })
      assert.equal(short.notRedactable, true)
    })

    test('the values inside a bundle are known one by one, and by generated rotation', async () => {
      const vault = await open.fresh(store)
      const [one, two] = [strong(), strong()]
      await vault.vault.put(PERSON, V, {
        path: 'bundle',
        type: 'env_bundle',
        value: secret(`# keys\nONE=${one}\nTWO=${two}\nMODE=dev\n`),
      })
      assert.equal(
        await redacted(vault, 'person:local', `TWO: ${two}, ONE: ${one}, MODE: dev`),
        'TWO: [REDACTED:bundle], ONE: [REDACTED:bundle], MODE: dev',
      )
      await vault.vault.put(PERSON, V, { path: 'made', value: secret(strong()) })
      await vault.vault.rotateGenerated(PERSON, V, { path: 'made' })
      const { value } = await vault.vault.get(PERSON, V, 'made')
      assert.equal(await redacted(vault, 'person:local', value.reveal()), '[REDACTED:made]')
    })
  })
