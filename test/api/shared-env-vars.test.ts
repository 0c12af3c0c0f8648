import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ApiReply } from '../support/api.ts'
import { agentWith, userWith } from '../support/registered.ts'
import { servedStores } from '../support/served-stores.ts'
import { PERSON } from '../support/vault.ts'
import { POSTGRES, SQLITE, textOf } from '../support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>

for (const store of [SQLITE, POSTGRES])
  describe(`API: variables by key, copied environments, shared ones on ${store.name}`, {
    skip: store.skip,
    concurrency: false,
  }, () => {
    const served = servedStores(store)

    async function fresh() {
      const { vault, api } = await served.fresh()
      const owner = await userWith(vault, 'owner')
      const ask = (method: string, target: string, body?: unknown, bearer = owner.key) =>
        api.ask(target, { method, bearer, body })
      const done = async (status: number, asked: Promise<ApiReply>): Promise<Body> => {
        const reply = await asked
        assert.equal(reply.status, status, JSON.stringify(reply.body))
        return (reply.body ?? {}) as Body
      }
      return { vault, ask, done, owner }
    }
    const VARS = '/v1/vaults/default/env-vars'
    const ORG = '/v1/org/env-vars'

    test('a variable is found by its key, its environment and its branch', async () => {
      const { ask, done } = await fresh()
      for (const body of [
        { key: 'URL', value: 'live', environments: ['production'] },
        { key: 'URL', value: 'try', environments: ['preview', 'development'] },
        { key: 'URL', value: 'mine', environments: ['preview'], git_branch: 'feature/x' },
        { key: 'ONE', value: 'single', environments: ['preview'], git_branch: 'b' },
      ])
        await done(201, ask('POST', VARS, body))
      const value = async (rest: string): Promise<unknown> =>
        (await done(200, ask('GET', `${VARS}/${rest}`)))['value']
      assert.equal(await value('URL?environment=production'), 'live')
      assert.equal(await value('URL?environment=development'), 'try')
      assert.equal(await value('URL?environment=preview'), 'try', 'the one without a branch')
      assert.equal(await value('URL?git_branch=feature/x'), 'mine')
      assert.equal(await value('ONE'), 'single', 'there is no other')
      const several = await done(409, ask('GET', `${VARS}/URL`))
      assert.deepEqual([several['code'], several['field']], ['CONFLICT', 'key'])
      await done(404, ask('GET', `${VARS}/URL?git_branch=other`))
      await done(404, ask('GET', `${VARS}/NONE`))
      const listed = await done(200, ask('GET', `${VARS}?environment=production`))
      assert.equal((listed['env_vars'] as Body[]).length, 1)

      await done(200, ask('PATCH', `${VARS}/URL?environment=production`, { value: 'live 2' }))
      assert.equal(await value('URL?environment=production'), 'live 2')
      // Taken out of one environment, it stays in the other; taken out of the last it is gone.
      await done(204, ask('DELETE', `${VARS}/URL?environment=development`))
      assert.equal(await value('URL?environment=preview'), 'try')
      await done(404, ask('GET', `${VARS}/URL?environment=development`))
      await done(204, ask('DELETE', `${VARS}/URL?environment=preview`))
      assert.equal(
        await value('URL?environment=preview'),
        'mine',
        'only that of the branch is left',
      )
    })

    test('an environment that was copied has the variables of the other, and its own before them', async () => {
      const { ask, done } = await fresh()
      const made = await done(
        201,
        ask('POST', '/v1/vaults/default/environments', {
          slug: 'staging',
          copied_from: 'production',
        }),
      )
      assert.deepEqual([made['copied_from'], made['is_detached']], ['production', false])
      await done(
        201,
        ask('POST', '/v1/vaults/default/environments', { slug: 'qa', copied_from: 'staging' }),
      )
      const unknown = { slug: 'x', copied_from: 'nowhere' }
      await done(400, ask('POST', '/v1/vaults/default/environments', unknown))
      for (const body of [
        { key: 'A', value: 'a live', environments: ['production'] },
        { key: 'B', value: 'b live', environments: ['production'] },
        { key: 'B', value: 'b staging', environments: ['staging'] },
        { key: 'C', value: 'c preview', environments: ['preview'] },
        { key: 'A', value: 'a branch', environments: ['production'], git_branch: 'x' },
      ])
        await done(201, ask('POST', VARS, body))
      const vars = async (query: string): Promise<unknown> =>
        (await done(200, ask('GET', `${VARS}/resolve?${query}`)))['vars']
      assert.deepEqual(await vars('environment=production'), { A: 'a live', B: 'b live' })
      assert.deepEqual(await vars('environment=staging'), { A: 'a live', B: 'b staging' })
      assert.deepEqual(await vars('environment=qa'), { A: 'a live', B: 'b staging' })
      assert.deepEqual(await vars('environment=qa&git_branch=x'), { A: 'a branch', B: 'b staging' })
      await done(204, ask('DELETE', `${VARS}/B?environment=staging`))
      await done(409, ask('DELETE', '/v1/vaults/default/environments/staging'))
      await done(204, ask('DELETE', '/v1/vaults/default/environments/qa'))
      await done(204, ask('DELETE', '/v1/vaults/default/environments/staging'))
    })

    test('without an environment an agent is in its own', async () => {
      const { vault, ask, done } = await fresh()
      await done(201, ask('POST', VARS, { key: 'A', value: 'p', environments: ['preview'] }))
      const rights = [['env-vars/**', ['list', 'read'] as const]] as const
      const tagged = await agentWith(vault, rights, { environment: 'preview' })
      const plain = await agentWith(vault, rights)
      const own = await done(200, ask('GET', `${VARS}/resolve`, undefined, tagged.key))
      assert.deepEqual([own['environment'], own['vars']], ['preview', { A: 'p' }])
      const other = await done(200, ask('GET', `${VARS}/resolve`, undefined, plain.key))
      assert.deepEqual([other['environment'], other['vars']], ['production', {}])
    })

    test('a shared variable stands in every vault that it is linked to, behind those of the vault', async () => {
      const { vault, ask, done } = await fresh()
      const team = String((await done(201, ask('POST', '/v1/vaults', { name: 'team' })))['id'])
      const shared = await done(201, ask('POST', ORG, { key: 'MAIL', value: 'smtp 1' }))
      const id = String(shared['id'])
      assert.deepEqual([shared['linked_vaults'], 'value' in shared], [[], false])
      assert.equal((await done(200, ask('GET', `${ORG}/MAIL`)))['value'], 'smtp 1')
      const resolve = (at: string, bearer?: string) =>
        done(200, ask('GET', `/v1/vaults/${at}/env-vars/resolve`, undefined, bearer))
      assert.deepEqual((await resolve('team'))['vars'], {}, 'not linked yet')
      const linked = await done(200, ask('POST', `${ORG}/${id}/link`, { vault_id: team }))
      assert.deepEqual(linked['linked_vaults'], [team])
      await done(409, ask('POST', `${ORG}/${id}/link`, { vault_id: 'team' }))

      // Whoever may read variables in that vault needs nothing where the shared one is kept.
      const agent = await agentWith(vault, [])
      await vault.policies.create(PERSON, team, {
        pattern: 'env-vars/**',
        permissions: ['list', 'read'],
        principalType: 'agent',
        principalId: agent.id,
      })
      const seen = await resolve('team', agent.key)
      assert.deepEqual([seen['vars'], seen['sources']], [{ MAIL: 'smtp 1' }, { MAIL: 'shared' }])
      assert.deepEqual((await resolve('default', agent.key))['vars'], {})
      const refused = await done(200, ask('GET', ORG, undefined, agent.key))
      assert.deepEqual(refused['env_vars'], [])
      await done(404, ask('GET', `${ORG}/MAIL`, undefined, agent.key))

      await done(200, ask('PATCH', `${ORG}/MAIL`, { value: 'smtp 2', comment: 'moved' }))
      assert.deepEqual((await resolve('team'))['vars'], { MAIL: 'smtp 2' })
      const own = `/v1/vaults/${team}/env-vars`
      await done(201, ask('POST', own, { key: 'MAIL', value: 'own' }))
      const both = await resolve('team')
      assert.deepEqual([both['vars'], both['sources']], [{ MAIL: 'own' }, { MAIL: 'vault' }])
      const listed = await done(200, ask('GET', own))
      assert.equal((listed['env_vars'] as Body[]).length, 1, 'the shared one is not its own')
      await done(204, ask('DELETE', `${own}/MAIL`))
      assert.deepEqual((await resolve('team'))['vars'], { MAIL: 'smtp 2' })

      await done(204, ask('DELETE', `${ORG}/MAIL/links/team`))
      assert.deepEqual((await resolve('team'))['vars'], {})
      await done(404, ask('DELETE', `${ORG}/MAIL/links/team`))
      await done(200, ask('POST', `${ORG}/MAIL/link`, { vault_id: team }))
      assert.deepEqual((await resolve('team'))['vars'], { MAIL: 'smtp 2' })
      await done(204, ask('DELETE', `${ORG}/${id}`))
      assert.deepEqual((await resolve('team'))['vars'], {})
      assert.deepEqual((await done(200, ask('GET', ORG)))['env_vars'], [])
      assert.deepEqual((await vault.vault.list(PERSON, 'default', 'org-env-vars/')).secrets, [])
    })

    test('who changes a shared variable needs the right to wherever it stands', async () => {
      const { vault, ask, done } = await fresh()
      const team = String((await done(201, ask('POST', '/v1/vaults', { name: 'team' })))['id'])
      const other = String((await done(201, ask('POST', '/v1/vaults', { name: 'other' })))['id'])
      await done(201, ask('POST', ORG, { key: 'MAIL', value: 'one', sensitive: true }))
      for (const vault_id of [team, other])
        await done(200, ask('POST', `${ORG}/MAIL/link`, { vault_id }))
      const member = await userWith(vault, 'member', [
        ['org-env-vars/**', ['list', 'read', 'write', 'delete']],
      ])
      const inTeam = {
        pattern: 'env-vars/**',
        permissions: ['list', 'read', 'write', 'delete'] as const,
        principalType: 'user' as const,
        principalId: member.id,
      }
      await vault.policies.create(PERSON, team, inTeam)
      const by = member.key
      const read = await done(200, ask('GET', `${ORG}/MAIL`, undefined, by))
      assert.equal('value' in read, false, 'a sensitive one is resolved, never shown')
      await done(403, ask('PATCH', `${ORG}/MAIL`, { value: 'two' }, by))
      await done(403, ask('DELETE', `${ORG}/MAIL`, undefined, by))
      for (const name of ['default', 'team', 'other']) {
        const { secrets } = await vault.vault.list(PERSON, name)
        for (const { path } of secrets)
          assert.equal(textOf(await vault.vault.get(PERSON, name, path)), 'one', 'as it was')
      }
      await done(204, ask('DELETE', `${ORG}/MAIL/links/team`, undefined, by))
      await done(403, ask('DELETE', `${ORG}/MAIL/links/other`, undefined, by))
      const custom = { key: 'X', value: 'v', environments: ['staging'] }
      assert.equal((await done(400, ask('POST', ORG, custom)))['field'], 'environments')
      // A vault that is deleted takes its copy with it, and nothing else.
      await done(204, ask('DELETE', `/v1/vaults/${other}`))
      await done(200, ask('PATCH', `${ORG}/MAIL`, { value: 'three' }, by))
    })
  })
