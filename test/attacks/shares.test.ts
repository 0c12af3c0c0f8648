// Shares as strangers find them: at two processes over one store, over HTTP.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createLog } from '../../src/core/log.ts'
import { epochMs } from '../../src/core/time.ts'
import { type ApiReply, serveTestApi, type TestApi } from '../support/api.ts'
import { userWithKey } from '../support/identity.ts'
import { serveMcpDoor } from '../support/mcp-door.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE, secret } from '../support/vault-stores.ts'

const V = 'default'
const AT = { vault: V, path: 'config/db' }

for (const store of [SQLITE, POSTGRES])
  describe(`attacks on shares, ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    const apis: TestApi[] = []
    const lines: string[] = []
    let vault: TestVault
    before(async () => {
      vault = await open.fresh(store)
      // The organisation is made when it is first asked for.
      await vault.identity.authentication.org()
      await vault.vault.put(PERSON, V, { path: 'config/db', value: secret('the value') })
      const log = createLog('debug', (line) => void lines.push(line))
      for (const one of [vault, await open.twin(vault)])
        apis.push(await serveTestApi(one, { log }, ['127.0.0.1']))
    })
    after(async () => {
      await Promise.all(apis.map((api) => api.stop()))
      await open.close(true)
    })

    async function linked(rest: { maxAccessCount?: number; passphrase?: string } = {}) {
      const { passphrase, ...limits } = rest
      const { share, link } = await vault.sharing.shares.create(PERSON, AT, {
        recipientType: 'anyone_with_link',
        expiresAt: epochMs(Date.now() + 3_600_000),
        ...limits,
        ...(passphrase !== undefined && { passphrase: secret(passphrase) }),
      })
      assert.ok(link !== null)
      return { id: share.id, link: link.reveal() }
    }

    let asked = 0
    /** Each from an address of its own, at one process and the other by turns. */
    function opening(id: string, body: object): Promise<ApiReply> {
      asked += 1
      const api = apis[asked % 2] ?? assert.fail()
      const from = `2001:db8:${(asked >> 8).toString(16)}:${(asked & 255).toString(16)}::1`
      return api.ask(`/v1/share/${id}/open`, {
        method: 'POST',
        body,
        headers: { 'x-forwarded-for': from, 'x-forwarded-proto': 'https' },
      })
    }
    const detailOf = ({ body }: ApiReply) => String((body as { detail?: unknown }).detail)
    const opened = async (id: string): Promise<number> => {
      const all = await vault.sharing.shares.outbound(PERSON)
      return all.find((one) => one.id === id)?.accessCount ?? -1
    }

    test('of twenty-four openers at two processes three see the value', async () => {
      const { id, link } = await linked({ maxAccessCount: 3 })
      const replies = await Promise.all(
        Array.from({ length: 24 }, () => opening(id, { secret: link })),
      )
      const values = replies.filter(({ status }) => status === 200)
      assert.deepEqual(
        [values.length, replies.filter(({ status }) => status === 410).length],
        [3, 21],
      )
      assert.equal(await opened(id), 3)
    })

    test('ten wrong passphrases lock it, however many are tried at both', async () => {
      const { id, link } = await linked({ passphrase: 'correct horse battery' })
      const wrong = { secret: link, passphrase: 'incorrect horse' }
      const tried = await Promise.all(Array.from({ length: 24 }, () => opening(id, wrong)))
      const looked = tried.filter((reply) => /passphrase is wrong/.test(detailOf(reply)))
      assert.equal(looked.length, 10, tried.map(detailOf).join('\n'))
      const right = await opening(id, { secret: link, passphrase: 'correct horse battery' })
      assert.equal(right.status, 403)
      assert.match(detailOf(right), /locked/)
      assert.equal(await opened(id), 0)
    })

    test('whatever is no click spends nothing, and what is wrong is one answer', async () => {
      const { id, link } = await linked({ maxAccessCount: 1 })
      const [api] = apis
      assert.ok(api !== undefined)
      const at = `/v1/share/${id}`
      for (const method of ['GET', 'HEAD', 'OPTIONS'])
        for (const target of [at, `${at}/open`, `${at}/open?secret=${link}`]) {
          const response = await fetch(api.baseUrl + target, {
            method,
            headers: { purpose: 'prefetch', 'sec-purpose': 'prefetch;prerender' },
          })
          assert.ok([401, 404, 405].includes(response.status), `${method} ${response.status}`)
        }
      const other = await linked()
      const { share: toUser } = await vault.sharing.shares.create(PERSON, AT, {
        recipientType: 'user',
        recipientId: (await userWithKey(vault, 'member')).id,
        expiresAt: epochMs(Date.now() + 3_600_000),
      })
      const texts = new Set<string>()
      for (const [where, body] of [
        [id, { secret: other.link }],
        [id, { secret: '' }],
        [id, { secret: 'x' }],
        [id, { secret: '\0'.repeat(32) }],
        [id, { secret: link.toUpperCase() }],
        [id, { secret: `${link}=` }],
        [other.id, { secret: link }],
        [toUser.id, { secret: link }],
        [toUser.id, { secret: '' }],
        ['00000000-0000-4000-8000-000000000000', { secret: link }],
        ['no-id', { secret: link }],
      ] as const) {
        const { status, body: said } = await opening(where, body)
        texts.add(JSON.stringify([status, { ...(said as object), request_id: null }]))
      }
      assert.equal(texts.size, 1, [...texts].join('\n'))
      assert.equal(await opened(id), 0)
      assert.equal((await opening(id, { secret: link })).status, 200)
    })

    test('the secret part of a link is in no log, record or file of the server', async () => {
      const { id, link } = await linked({ passphrase: 'correct horse battery' })
      const door = await serveMcpDoor(vault, {
        log: createLog('debug', (line) => void lines.push(line)),
      })
      // A person who pastes the address, and a client that sends the secret where it does not belong.
      for (const target of [`/share/${id}`, `/share/${id}?${link}`, `/share/${id}/${link}`])
        await fetch(door.baseUrl + target, { headers: { referer: `${door.baseUrl}/#${link}` } })
      await opening(id, { secret: link })
      await opening(id, { secret: link, passphrase: 'a guess at it' })
      await opening(id, { secret: link, passphrase: 'correct horse battery' })
      await opening(link, { secret: link })
      await opening(id, { secret: link, more: link })
      await door.stop()
      const texts = [...lines]
      for (const { body } of await vault.audit.query({ limit: 1000 })) texts.push(body)
      for (const name of readdirSync(vault.home, { recursive: true, encoding: 'utf8' })) {
        const file = join(vault.home, name)
        if (statSync(file).isFile()) texts.push(readFileSync(file).toString('latin1'))
      }
      for (const given of [link, link.slice(10, 40), 'correct horse battery', 'a guess at it'])
        assert.ok(!texts.some((text) => text.includes(given)), given)
    })
  })
