import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { AgentRequest, Origin } from '../../src/core/identity-port.ts'
import type { AccessPermission, PathPolicyRequest } from '../../src/core/policy-port.ts'
import type { Caller } from '../../src/core/principals.ts'
import { type EpochMs, epochMs } from '../../src/core/time.ts'
import { AGENT, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, SQLITE, secret, textOf } from '../support/vault-stores.ts'

const V = 'default'
const ORIGIN: Origin = { address: '10.1.2.3', channel: 'http' }

interface Agent {
  readonly id: string
  readonly key: string
  readonly caller: Caller
}

async function register(vault: TestVault, rest: Partial<AgentRequest> = {}): Promise<Agent> {
  const { agent, key } = await vault.identity.agents.create(PERSON, { name: 'ci', ...rest })
  const text = key.reveal()
  const { token } = await vault.identity.authentication.exchange(text, null, ORIGIN)
  const caller = await vault.identity.authentication.authenticate(token.reveal(), ORIGIN)
  return { id: agent.id, key: text, caller }
}

async function allow(
  vault: TestVault,
  agent: Agent,
  pattern: string,
  permissions: readonly AccessPermission[],
  rest: Partial<PathPolicyRequest> = {},
): Promise<string> {
  const { id } = await vault.policies.create(PERSON, V, {
    pattern,
    permissions,
    principalType: 'agent',
    principalId: agent.id,
    ...rest,
  })
  return id
}

for (const store of [SQLITE, POSTGRES])
  describe(`registered agents on ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    afterEach(() => open.close(true))

    async function fresh(): Promise<TestVault> {
      const vault = await open.fresh(store)
      for (const path of ['config/db', 'config/deep/x', 'api-keys/stripe', 'other'])
        await vault.vault.put(PERSON, V, { path, value: secret(`value of ${path}`) })
      return vault
    }

    test('an agent without a policy sees nothing, not even which paths exist', async () => {
      const vault = await fresh()
      const { caller } = await register(vault)
      await assert.rejects(vault.vault.get(caller, V, 'config/db'), fault('ACCESS_DENIED'))
      await assert.rejects(vault.vault.get(caller, V, 'not/there'), fault('ACCESS_DENIED'))
      await assert.rejects(vault.vault.describe(caller, V, 'config/db'), fault('ACCESS_DENIED'))
      assert.deepEqual(await vault.vault.list(caller, V), { total: 0, secrets: [] })
      assert.deepEqual(await vault.vault.listVaults(caller), [])
    })

    test('a policy gives what it names on the paths it names, and nothing more', async () => {
      const vault = await fresh()
      const agent = await register(vault)
      await allow(vault, agent, 'config/*', ['list', 'read'])
      const { vault: door } = vault
      assert.equal(textOf(await door.get(agent.caller, V, 'config/db')), 'value of config/db')
      for (const path of ['config/deep/x', 'api-keys/stripe', 'other'])
        await assert.rejects(door.get(agent.caller, V, path), fault('ACCESS_DENIED'))
      await assert.rejects(door.get(agent.caller, V, 'config/none'), fault('SECRET_NOT_FOUND'))
      await assert.rejects(
        door.put(agent.caller, V, { path: 'config/db', value: secret('x') }),
        fault('ACCESS_DENIED'),
      )
      await assert.rejects(door.delete(agent.caller, V, 'config/db'), fault('ACCESS_DENIED'))
      assert.deepEqual(
        (await door.list(agent.caller, V)).secrets.map(({ path }) => path),
        ['config/db'],
      )
      assert.deepEqual(
        (await door.listVaults(agent.caller)).map(({ name }) => name),
        ['default'],
      )
    })

    test('a deny wins over any allow, and a removed policy ends at the next call', async () => {
      const vault = await fresh()
      const agent = await register(vault)
      const id = await allow(vault, agent, '**', ['read'], { priority: 100 })
      await allow(vault, agent, 'api-keys/**', ['read'], { effect: 'deny' })
      await assert.rejects(
        vault.vault.get(agent.caller, V, 'api-keys/stripe'),
        fault('ACCESS_DENIED'),
      )
      await vault.vault.get(agent.caller, V, 'other')
      await vault.policies.remove(PERSON, V, id)
      await assert.rejects(vault.vault.get(agent.caller, V, 'other'), fault('ACCESS_DENIED'))
    })

    test('vault binding and scopes narrow what policies give', async () => {
      const vault = await fresh()
      const second = await vault.vault.createVault(PERSON, { name: 'second' })
      const bound = await register(vault, { vaultIds: [second.id] })
      await allow(vault, bound, '**', ['read'])
      await assert.rejects(vault.vault.get(bound.caller, V, 'other'), fault('ACCESS_DENIED'))
      const scoped = await register(vault, { scopes: ['config/**'] })
      await allow(vault, scoped, '**', ['read'])
      await vault.vault.get(scoped.caller, V, 'config/deep/x')
      await assert.rejects(vault.vault.get(scoped.caller, V, 'other'), fault('ACCESS_DENIED'))
    })

    test('an address outside of the condition is denied, whatever the policy gives', async () => {
      const vault = await fresh()
      const agent = await register(vault)
      await allow(vault, agent, '**', ['read'], { conditions: { ipAllowlist: ['10.0.0.0/8'] } })
      await vault.vault.get(agent.caller, V, 'other')
      const { token } = await vault.identity.authentication.exchange(agent.key, null, ORIGIN)
      const elsewhere = await vault.identity.authentication.authenticate(token.reveal(), {
        ...ORIGIN,
        address: '192.0.2.1',
      })
      await assert.rejects(vault.vault.get(elsewhere, V, 'other'), fault('ACCESS_DENIED'))
    })

    test('expiry is judged at the moment of the read', async () => {
      let now = Date.now()
      const vault = await open.fresh(store, () => epochMs(now))
      await vault.vault.put(PERSON, V, { path: 'a', value: secret('v') })
      const agent = await register(vault)
      await allow(vault, agent, '**', ['read'], { expiresAt: (now + 60_000) as EpochMs })
      await vault.vault.get(agent.caller, V, 'a')
      now += 61_000
      await assert.rejects(vault.vault.get(agent.caller, V, 'a'), fault('ACCESS_DENIED'))
    })

    const ENDINGS: readonly (readonly [
      name: string,
      end: (vault: TestVault, agent: Agent) => Promise<unknown>,
    ])[] = [
      [
        'disabled',
        ({ identity }, { id }) => identity.agents.update(PERSON, id, { isActive: false }),
      ],
      ['removed', ({ identity }, { id }) => identity.agents.remove(PERSON, id)],
      ['given a new key', ({ identity }, { id }) => identity.agents.rotateKey(PERSON, id)],
      [
        'frozen',
        ({ identity }, { id }) =>
          identity.freezes.freeze(PERSON, { kind: 'agent', id: id as never }, null),
      ],
      [
        'stopped with everything',
        ({ identity }) => identity.freezes.freeze(PERSON, { kind: 'all' }, null),
      ],
    ]
    for (const [name, end] of ENDINGS)
      test(`an agent that is ${name} reads nothing more, on another process neither`, async () => {
        const vault = await fresh()
        const agent = await register(vault)
        await allow(vault, agent, '**', ['read'])
        const twin = await open.twin(vault)
        await twin.vault.get(agent.caller, V, 'other')
        await end(vault, agent)
        await assert.rejects(vault.vault.get(agent.caller, V, 'other'), fault('UNAUTHENTICATED'))
        await assert.rejects(twin.vault.get(agent.caller, V, 'other'), fault('UNAUTHENTICATED'))
      })

    test('a freeze of everything stops the local agent, and the person lifts it', async () => {
      const vault = await fresh()
      await vault.vault.listVaults(AGENT)
      await vault.identity.freezes.freeze(AGENT, { kind: 'all' }, 'looks odd').catch(() => {})
      await vault.identity.freezes.freeze(PERSON, { kind: 'all' }, 'looks odd')
      await assert.rejects(
        vault.vault.put(AGENT, V, { path: 'new/one', value: secret('x') }),
        fault('ACCESS_DENIED'),
      )
      await vault.identity.freezes.lift(PERSON, { kind: 'all' })
      await vault.vault.put(AGENT, V, { path: 'new/one', value: secret('x') })
    })

    test('nobody grants more than he holds, or where he may not share', async () => {
      const vault = await fresh()
      const giver = await register(vault)
      const other = await register(vault, { name: 'other' })
      await allow(vault, giver, 'config/**', ['read', 'share'], {
        expiresAt: (Date.now() + 3_600_000) as EpochMs,
      })
      await allow(vault, giver, 'api-keys/**', ['read'])
      const grant = (
        pattern: string,
        permissions: readonly AccessPermission[],
        expiresAt: EpochMs | null,
      ) =>
        vault.policies.create(giver.caller, V, {
          pattern,
          permissions,
          expiresAt,
          principalType: 'agent',
          principalId: other.id,
        })
      const soon = (Date.now() + 60_000) as EpochMs
      await assert.rejects(grant('config/**', ['read', 'write'], soon), fault('ACCESS_DENIED'))
      await assert.rejects(grant('**', ['read'], soon), fault('ACCESS_DENIED'))
      await assert.rejects(grant('config/**', ['read'], null), fault('ACCESS_DENIED'))
      await assert.rejects(grant('api-keys/**', ['read'], soon), fault('ACCESS_DENIED'))
      const desk = vault.approvals.approvals
      // Nobody is asked about what could not be granted anyway.
      assert.deepEqual(await desk.list(PERSON), [])
      await assert.rejects(grant('config/db', ['read'], soon), fault('APPROVAL_REQUIRED'))
      await assert.rejects(vault.vault.get(other.caller, V, 'config/db'), fault('ACCESS_DENIED'))
      const [asked] = await desk.list(PERSON)
      assert.deepEqual(asked?.preview.fields?.slice(0, 4), [
        { label: 'Paths', value: 'config/db' },
        { label: 'In the vault', value: 'default' },
        { label: 'Who', value: `agent ${other.id}` },
        { label: 'May', value: 'may read' },
      ])
      await assert.rejects(
        desk.decide(giver.caller, asked?.id ?? '', 'approve'),
        fault('ACCESS_DENIED'),
      )
      await desk.decide(PERSON, asked?.id ?? '', 'approve')
      // Another grant is another question, and the one that was approved is good for one.
      await assert.rejects(grant('config/db', ['read', 'share'], soon), fault('APPROVAL_REQUIRED'))
      const made = await grant('config/db', ['read'], soon)
      assert.equal(
        textOf(await vault.vault.get(other.caller, V, 'config/db')),
        'value of config/db',
      )
      await assert.rejects(grant('config/db', ['read'], soon), fault('APPROVAL_REQUIRED'))
      await assert.rejects(
        vault.policies.update(giver.caller, V, made.id, { expiresAt: (soon + 1) as EpochMs }),
        fault('APPROVAL_REQUIRED'),
      )
      // Taking back what one gave needs nobody's word.
      await vault.policies.remove(giver.caller, V, made.id)
    })

    test('an explanation names the policy, and what would be without it', async () => {
      const vault = await fresh()
      const agent = await register(vault)
      const id = await allow(vault, agent, 'config/*', ['read'])
      const explained = await vault.policies.explain(PERSON, V, {
        principalType: 'agent',
        principalId: agent.id,
        path: 'config/db',
        permission: 'read',
      })
      assert.equal(explained.allowed, true)
      assert.equal(explained.by, id)
      assert.equal(explained.withoutIt?.allowed, false)
      await assert.rejects(
        vault.policies.explain(AGENT, V, {
          principalType: 'agent',
          principalId: agent.id,
          path: 'config/db',
          permission: 'read',
        }),
        fault('ACCESS_DENIED'),
      )
    })

    test('what was granted and not used since is told, new grants aside', async () => {
      let now = Date.now()
      const vault = await open.fresh(store, () => epochMs(now))
      for (const path of ['config/db', 'api-keys/stripe'])
        await vault.vault.put(PERSON, V, { path, value: secret('v') })
      const agent = await register(vault)
      const other = await register(vault, { name: 'other' })
      await allow(vault, agent, 'config/**', ['read'])
      const idle = await allow(vault, agent, 'api-keys/**', ['read'])
      const never = await allow(vault, other, '**', ['read'])
      now += 86_400_000
      const since = epochMs(now)
      now += 1000
      const { token } = await vault.identity.authentication.exchange(agent.key, null, ORIGIN)
      const caller = await vault.identity.authentication.authenticate(token.reveal(), ORIGIN)
      await vault.vault.get(caller, V, 'config/db')
      await assert.rejects(vault.vault.get(caller, V, 'other'), fault('ACCESS_DENIED'))
      await allow(vault, agent, 'new/**', ['read'])
      const unused = await vault.policies.unused(PERSON, V, since)
      assert.deepEqual(new Set(unused.map(({ id }) => id)), new Set([idle, never]))
      await assert.rejects(vault.policies.unused(caller, V, since), fault('ACCESS_DENIED'))
    })

    test('every change and refusal is in the audit, and the rows verify', async () => {
      const vault = await fresh()
      const agent = await register(vault)
      await allow(vault, agent, 'config/*', ['read'])
      await vault.vault.get(agent.caller, V, 'config/db')
      await assert.rejects(vault.vault.get(agent.caller, V, 'other'), fault('ACCESS_DENIED'))
      const entries = await vault.audit.query({ actor: `agent:${agent.id}` })
      assert.deepEqual(
        entries.slice(0, 2).map(({ kind, path }) => [kind, path]),
        [
          ['refusal', 'other'],
          ['intent', 'config/db'],
        ],
      )
      const report = await vault.audit.verify()
      assert.deepEqual(report.findings, [])
    })
  })
