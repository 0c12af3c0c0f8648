import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { epochMs, systemClock, toIso } from '../../src/core/time.ts'
import { outgoing } from '../../src/net/index.ts'
import { Connection, RemoteVault } from '../../src/remote/index.ts'
import type { ApiReply } from '../support/api.ts'
import { agentWith, userWith } from '../support/registered.ts'
import { servedStores } from '../support/served-stores.ts'
import { AGENT, PERSON, type TestVault } from '../support/vault.ts'
import { fault, POSTGRES, SQLITE, secret, textOf } from '../support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>

for (const store of [SQLITE, POSTGRES])
  describe(`API: vaults on ${store.name}`, { skip: store.skip }, () => {
    const served = servedStores(store)
    const { open } = served

    async function fresh() {
      const { vault, api } = await served.fresh()
      const owner = await userWith(vault, 'owner')
      const ask = (
        bearer: string,
        method: string,
        target: string,
        body?: unknown,
        headers: Readonly<Record<string, string>> = {},
      ): Promise<ApiReply> => api.ask(target, { method, bearer, body, headers })
      const made = async (bearer: string, name: string): Promise<string> => {
        const { status, body } = await ask(bearer, 'POST', '/v1/vaults', { name })
        assert.equal(status, 201)
        return String((body as Body)['id'])
      }
      return { vault, api, ask, owner, made }
    }

    test('a vault is deleted with everything in it, and comes back empty under its name', async () => {
      const { vault, ask, owner, made } = await fresh()
      const id = await made(owner.key, 'team')
      const agent = await agentWith(vault, [])
      const at = `/v1/vaults/${id}`
      for (const path of ['a/b', 'c'])
        await ask(owner.key, 'PUT', `${at}/secrets/${path}`, { value: 'the value' })
      await ask(owner.key, 'DELETE', `${at}/secrets/c`)
      await ask(owner.key, 'POST', `${at}/env-vars`, { key: 'URL', value: 'https://x.test' })
      await ask(owner.key, 'POST', `${at}/environments`, { slug: 'staging' })
      const granted = await ask(owner.key, 'POST', `${at}/policies`, {
        secret_path_pattern: '**',
        principal_type: 'agent',
        principal_id: agent.id,
        permissions: ['read'],
      })
      assert.equal(granted.status, 201)
      const twin = await open.twin(vault)
      const read = async (from: TestVault): Promise<string> =>
        textOf(await from.vault.get(agent.caller, 'team', 'a/b'))
      assert.deepEqual([await read(vault), await read(twin)], ['the value', 'the value'])
      assert.equal(textOf(await twin.vault.get(PERSON, 'team', 'a/b')), 'the value')

      const gone = await ask(owner.key, 'DELETE', '/v1/vaults/team')
      assert.deepEqual([gone.status, gone.body], [204, null])

      for (const from of [vault, twin]) {
        await assert.rejects(read(from), fault('ACCESS_DENIED'))
        // Whoever is at the machine had the vault's id; it leads nowhere, and nothing is put there.
        await assert.rejects(from.vault.get(PERSON, id, 'a/b'), fault('VAULT_NOT_FOUND'))
        await assert.rejects(
          from.vault.put(PERSON, id, { path: 'new', value: secret('v') }),
          fault('VAULT_NOT_FOUND'),
        )
      }
      for (const [method, target] of [
        ['GET', at],
        ['DELETE', at],
        ['GET', `${at}/policies`],
      ] as const)
        assert.equal((await ask(owner.key, method, target)).status, 404, `${method} ${target}`)
      assert.deepEqual(
        (await vault.db.read((reader) => vault.keys.rows.all(reader))).filter(
          ({ vaultId }) => vaultId === id,
        ),
        [],
      )

      const anew = await made(owner.key, 'team')
      assert.notEqual(anew, id)
      await ask(owner.key, 'PUT', `/v1/vaults/team/secrets/a/b`, { value: 'another' })
      assert.equal(textOf(await twin.vault.get(PERSON, 'team', 'a/b')), 'another')
      await assert.rejects(read(vault), fault('ACCESS_DENIED'))
    })

    test('a vault behind a server is deleted there', async () => {
      const { vault, api, owner, made } = await fresh()
      await made(owner.key, 'far')
      const way = outgoing({ allow: [] })
      const connection = new Connection({
        baseUrl: api.baseUrl,
        credential: { kind: 'token', token: owner.key },
        outgoing: way,
        clock: systemClock,
      })
      const remote = new RemoteVault(connection)
      try {
        const gone = await remote.deleteVault(AGENT, 'far')
        assert.equal(gone.name, 'far')
        await assert.rejects(remote.deleteVault(AGENT, 'far'), fault('VAULT_NOT_FOUND'))
        await assert.rejects(remote.deleteVault(AGENT, 'default'), fault('CONFLICT', /stays/))
        assert.deepEqual(
          (await vault.vault.listVaults(PERSON)).map(({ name }) => name),
          ['default'],
        )
      } finally {
        await way.close()
      }
    })

    test('who may delete a vault, and which', async () => {
      const { vault, ask, owner, made } = await fresh()
      const agent = await agentWith(vault, [])
      const member = await userWith(vault, 'member')
      const admin = await userWith(vault, 'admin')
      const id = await made(agent.key, 'of an agent')
      const at = `/v1/vaults/${id}`
      await vault.policies.create(PERSON, id, {
        pattern: '**',
        permissions: ['list', 'write', 'delete'],
        principalType: 'agent',
        principalId: agent.id,
      })
      const put = await ask(agent.key, 'PUT', `${at}/secrets/k`, { value: 'v' })
      assert.equal(put.status, 201)
      const reader = await ask(agent.key, 'GET', '/v1/vaults')
      assert.equal((reader.body as { vaults: Body[] }).vaults.length, 1)

      assert.equal((await ask(member.key, 'DELETE', at)).status, 404, 'none of his business')
      const inUse = await ask(agent.key, 'DELETE', at)
      assert.deepEqual([inUse.status, (inUse.body as Body)['code']], [409, 'CONFLICT'])
      await assert.rejects(vault.vault.deleteVault(AGENT, id), fault('ACCESS_DENIED'))
      const seen = await vault.policies.create(PERSON, id, {
        pattern: '**',
        permissions: ['read', 'write', 'delete'],
        principalType: 'user',
        principalId: member.id,
      })
      assert.ok(seen.id)
      assert.equal((await ask(member.key, 'DELETE', at)).status, 403, 'he sees it, it is not his')
      await ask(agent.key, 'DELETE', `${at}/secrets/k`)
      assert.equal((await ask(agent.key, 'DELETE', at)).status, 204)

      const stays = await ask(owner.key, 'DELETE', '/v1/vaults/default')
      assert.deepEqual([stays.status, (stays.body as Body)['field']], [409, 'vault'])
      const second = await made(agent.key, 'second')
      assert.equal((await ask(admin.key, 'DELETE', `/v1/vaults/${second}`)).status, 204)
      const [record] = await vault.audit.query({ action: 'vault.delete' })
      assert.deepEqual([record?.actor, record?.vault], [`user:${admin.id}`, second])
    })

    test('a vault that is not there is answered like one in which the caller may do nothing', async () => {
      const { vault, ask, owner, made } = await fresh()
      const hidden = await made(owner.key, 'hidden')
      await ask(owner.key, 'PUT', '/v1/vaults/hidden/secrets/k', { value: 'v' })
      const agent = await agentWith(vault, [['**', ['list', 'read', 'write', 'delete', 'share']]])
      const member = await userWith(vault, 'member')
      const share = {
        recipient_type: 'agent',
        recipient_id: agent.id,
        expires_at: toIso(epochMs(systemClock() + 86_400_000)),
      }
      const policy = {
        secret_path_pattern: '**',
        principal_type: 'agent',
        principal_id: agent.id,
        permissions: ['read'],
      }
      const calls: readonly [method: string, rest: string, body?: unknown][] = [
        ['GET', ''],
        ['DELETE', ''],
        ['GET', '/secrets'],
        ['GET', '/secrets?prefix=k'],
        ['GET', '/secrets/k'],
        ['GET', '/secrets/k?purpose=use'],
        ['PUT', '/secrets/k', { value: 'w' }],
        ['DELETE', '/secrets/k'],
        ['GET', '/secret-metadata/k'],
        ['GET', '/secret-versions/k'],
        ['GET', '/secret-version/k/1'],
        ['POST', '/secret-version-disable/k/1'],
        ['POST', '/secret-rotate/k', {}],
        ['POST', '/secret-share/k', share],
        ['GET', '/env-vars'],
        ['POST', '/env-vars', { key: 'A', value: 'v' }],
        ['GET', '/env-vars/resolve'],
        ['GET', '/env-vars/00000000-0000-4000-8000-000000000000'],
        ['GET', '/environments'],
        ['POST', '/environments', { slug: 'qa' }],
        ['DELETE', '/environments/qa'],
        ['GET', '/policies'],
        ['POST', '/policies', policy],
        ['DELETE', '/policies/00000000-0000-4000-8000-000000000000'],
      ]
      const fieldsOf = ({ status, body }: ApiReply): unknown[] => {
        const { code, detail, help, field } = (body ?? {}) as Body
        return [status, code, detail, help, field]
      }
      for (const { key } of [agent, member])
        for (const [method, rest, body] of calls) {
          const of = async (name: string) =>
            JSON.stringify(
              fieldsOf(await ask(key, method, `/v1/vaults/${name}${rest}`, body)),
            ).replaceAll(name, 'NAME')
          const there = await of('hidden')
          assert.equal(await of('nothere'), there, `${method} ${rest} by name`)
          assert.equal(
            await of('7d9c2a4e-1f7b-4c0a-9d55-3f1e2b6a8c90'),
            await of(hidden),
            `${method} ${rest} by id`,
          )
          if (rest.startsWith('/secret') && !rest.startsWith('/secrets?') && rest !== '/secrets')
            assert.match(there, /^\[403,"ACCESS_DENIED"/, `${method} ${rest}`)
        }
      // Whoever may know them all is told.
      assert.equal((await ask(owner.key, 'GET', '/v1/vaults/nothere/policies')).status, 404)
      await assert.rejects(vault.vault.get(PERSON, 'nothere', 'k'), fault('VAULT_NOT_FOUND'))
    })
  })
