import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { decodeJwt } from 'jose'
import { type Clock, epochMs, systemClock } from '../../src/core/time.ts'
import { serveTestApi } from '../support/api.ts'
import { callerOf, firstOwner, invited, PASSWORD } from '../support/people.ts'
import { PERSON } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE } from '../support/vault-stores.ts'

const open = new OpenVaults()
afterEach(() => open.close(true))

interface Fields {
  readonly access_token: string
  readonly user_id: string
  readonly expires_in: number
  readonly detail: string
  readonly help: string
  readonly api_key: string
  readonly key: { readonly id: string }
  readonly keys: readonly { readonly name: string; readonly scopes: readonly string[] }[]
  readonly members: readonly { readonly email: string; readonly role: string }[]
  readonly email: string
}

for (const store of [SQLITE, POSTGRES])
  test(`api people on ${store.name}: passwords and keys become tokens, and a key makes no key`, {
    skip: store.skip,
  }, async () => {
    let ahead = 0
    const clock: Clock = () => epochMs(systemClock() + ahead)
    const vault = await open.fresh(store, clock)
    const { people } = await vault.identity.people()
    const owner = await firstOwner(vault)
    await invited(vault, 'member')
    const api = await serveTestApi(vault)
    const ask = async (
      method: string,
      target: string,
      status: number,
      bearer?: string,
      body?: object,
    ): Promise<Fields> => {
      const reply = await api.ask(target, {
        method,
        ...(bearer === undefined ? {} : { bearer }),
        ...(body === undefined ? {} : { body }),
      })
      assert.equal(reply.status, status, `${method} ${target} ${JSON.stringify(reply.body)}`)
      return reply.body as Fields
    }
    try {
      const email = 'ada@example.org'
      for (const wrong of [
        { email, password: 'not the password' },
        { email: 'nobody@example.org', password: PASSWORD },
      ]) {
        const { detail, help } = await ask('POST', '/v1/auth/token', 401, undefined, wrong)
        assert.equal(detail, 'The e-mail or the password is wrong.')
        assert.match(help, /^type both again; .* sallyport people reset$/)
      }
      const typed = await ask('POST', '/v1/auth/token', 200, undefined, {
        email,
        password: PASSWORD,
      })
      const token = typed.access_token
      assert.equal(decodeJwt(token).sub, `user:${owner.person.id}`)
      assert.equal(typed.user_id, owner.person.id)
      assert.ok(typed.expires_in > 880 && typed.expires_in <= 900)
      assert.equal((await ask('GET', '/v1/auth/me', 200, token)).email, email)
      const made = await ask('POST', '/v1/auth/api-keys', 201, token, {
        name: 'laptop',
        scopes: ['ci/**'],
      })
      const listed = await ask('GET', '/v1/auth/api-keys', 200, token)
      assert.deepEqual(
        listed.keys.map(({ name, scopes }) => [name, scopes]),
        [['laptop', ['ci/**']]],
      )

      // A personal key is exchanged, narrowed as it is, makes no key and administers nothing.
      const changed = await ask('POST', '/v1/auth/api-key-token', 200, undefined, {
        api_key: made.api_key,
      })
      assert.deepEqual(decodeJwt(changed.access_token)['scopes'], ['ci/**'])
      await ask('GET', '/v1/auth/me', 200, made.api_key)
      await ask('GET', '/v1/org/members', 403, changed.access_token)
      await ask('POST', '/v1/auth/api-keys', 403, changed.access_token, { name: 'another' })
      await ask('POST', '/v1/auth/api-keys', 403, made.api_key, { name: 'another' })
      const members = await ask('GET', '/v1/org/members', 200, token)
      assert.deepEqual(
        members.members.map(({ email: of, role }) => [of, role]),
        [
          [email, 'owner'],
          ['member@example.org', 'member'],
        ],
      )

      // Neither a token nor a key is a person who decides.
      await ask('POST', '/v1/auth/api-key-token', 401, undefined, { api_key: 'ocv_x' })
      const { agent, key } = await vault.identity.agents.create(PERSON, { name: 'a' })
      await ask('POST', '/v1/auth/api-key-token', 401, undefined, { api_key: key.reveal() })
      await ask('GET', '/v1/auth/me', 403, key.reveal())
      assert.ok(agent.isActive)

      // Five minutes after the password was typed its token makes no keys; with the key its tokens are dead.
      ahead = 301_000
      await ask('GET', '/v1/auth/me', 200, token)
      await ask('POST', '/v1/auth/api-keys', 403, token, { name: 'late' })
      await ask('DELETE', `/v1/auth/api-keys/${made.key.id}`, 204, token)
      await ask('GET', '/v1/auth/me', 401, changed.access_token)
      await ask('GET', '/v1/auth/me', 401, made.api_key)
      await ask('DELETE', '/v1/auth/token', 204, token)
      await ask('GET', '/v1/auth/me', 401, token)

      // A changed password ends what came of the old one.
      const second = await ask('POST', '/v1/auth/token', 200, undefined, {
        email,
        password: PASSWORD,
      })
      const { signIn } = await vault.identity.people()
      const browser = { address: '192.0.2.9', agent: null }
      const session = await signIn.withPassword(email, PASSWORD, browser)
      await people.changePassword(await callerOf(vault, session), PASSWORD, 'another harbour')
      await ask('GET', '/v1/auth/me', 401, second.access_token)
    } finally {
      await api.stop()
    }
  })
