// Path policies that ask for an approval: the same yes over HTTP, MCP and in process, used up in the transaction of the act.
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { type FaultCode, isFault } from '../src/core/faults.ts'
import type { AccessPermission, PathPolicyInfo } from '../src/core/policy-port.ts'
import type { Caller } from '../src/core/principals.ts'
import { type Clock, epochMs, sleep, systemClock } from '../src/core/time.ts'
import { exchangedToken, serveTestApi, type TestApi } from './support/api.ts'
import { signedIn } from './support/approvals.ts'
import { type McpDoor, serveMcpDoor } from './support/mcp-door.ts'
import { agentWith, callerBy, userWith } from './support/registered.ts'
import { PERSON, type TestVault } from './support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE, secret } from './support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>

const V = 'default'
const ONCE = { needed: 1, expiresInSeconds: 900 }

for (const store of [SQLITE, POSTGRES])
  describe(`policies that ask, ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    const stops: (() => Promise<void>)[] = []
    afterEach(async () => {
      for (const stop of stops.splice(0).toReversed()) await stop()
      await open.close(true)
    })

    const desk = (vault: TestVault) => vault.approvals.approvals

    async function fresh(
      permissions: readonly AccessPermission[] = ['list', 'read'],
      approval = ONCE,
      clock?: Clock,
    ) {
      const vault = await open.fresh(store, clock)
      for (const name of ['stripe', 'twilio'])
        await vault.vault.put(PERSON, V, { path: `keys/${name}`, value: secret(`of ${name}`) })
      const agent = await agentWith(vault, [['keys/**', permissions, { approval }]])
      const [policy] = await vault.policies.list(PERSON, V)
      assert.ok(policy)
      return { vault, agent, policy }
    }

    async function api(vault: TestVault, key: string) {
      const serving: TestApi = await serveTestApi(vault)
      stops.push(() => serving.stop())
      const bearer = await exchangedToken(serving, key)
      const [{ id } = { id: '' }] = await vault.vault.listVaults(PERSON)
      return async (
        method: string,
        path: string,
        rest: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
      ) => {
        const reply = await serving.ask(`/v1/vaults/${id}/${path}`, { method, bearer, ...rest })
        return { ...reply, body: reply.body as Body }
      }
    }

    const read = async (vault: TestVault, caller: Caller, path: string): Promise<string> => {
      const { value } = await vault.vault.get(caller, V, path)
      try {
        return value.reveal()
      } finally {
        value.wipe()
      }
    }

    /** The id of the approval that the act waits for. */
    async function waits(act: Promise<unknown>): Promise<string> {
      try {
        await act
      } catch (error) {
        assert.ok(isFault(error, 'APPROVAL_REQUIRED'), String(error))
        return String(error.details['approval'])
      }
      return assert.fail('it passed')
    }

    const refuses = (act: Promise<unknown>, code: FaultCode) =>
      assert.rejects(act, (error) => isFault(error, code))

    const approve = (vault: TestVault, id: string) => desk(vault).decide(PERSON, id, 'approve')

    test('HTTP: who reads is told whom to ask, and one yes is one reading', async () => {
      const { vault, agent } = await fresh()
      const ask = await api(vault, agent.key)
      const asked = await ask('GET', 'secrets/keys/stripe')
      assert.deepEqual([asked.status, asked.body['code']], [403, 'APPROVAL_REQUIRED'])
      const id = String(asked.body['approval_request_id'])
      const polled = await ask('GET', 'secrets/keys/stripe', {
        headers: { prefer: 'respond-async' },
      })
      assert.deepEqual(
        [polled.status, polled.headers.get('location'), polled.body['pending_approval_id']],
        [202, `/v1/approvals/${id}/status`, id],
      )
      const shown = await desk(vault).status(PERSON, id)
      assert.deepEqual(
        [shown.preview.title, shown.needed, shown.action, shown.requester],
        ['Read keys/stripe', 1, 'secret.read', `agent:${agent.id}`],
      )
      await approve(vault, id)
      // Of another path, or another version, it is another act.
      assert.equal((await ask('GET', 'secrets/keys/twilio')).status, 403)
      assert.equal((await ask('GET', 'secret-version/keys/stripe/1')).status, 403)
      const got = await ask('GET', 'secrets/keys/stripe')
      assert.deepEqual([got.status, got.body['value']], [200, 'of stripe'])
      const again = await ask('GET', 'secrets/keys/stripe')
      assert.equal(again.status, 403)
      assert.notEqual(again.body['approval_request_id'], id)
      assert.equal((await ask('GET', 'secrets/keys/nothing')).status, 404)
      const listed = await ask('GET', 'secrets')
      assert.equal(listed.status, 200)
      assert.equal((listed.body['secrets'] as Body[]).length, 2)
    })

    test('MCP: a client that hears progress waits for the person, in both eras', async () => {
      const { vault, agent } = await fresh()
      const { people } = vault.approvals
      const door: McpDoor = await serveMcpDoor(vault, { openPeople: async () => people })
      stops.push(() => door.stop())
      for (const era of ['legacy', 'modern'] as const) {
        const client = await door.connect(era, agent.key, V)
        const heard: string[] = []
        const call = { name: 'get_secret', arguments: { path: 'keys/stripe' } }
        const asked = client.callTool(call, {
          onprogress: ({ message }) => heard.push(message ?? ''),
        })
        let id: string | undefined
        while (id === undefined) {
          id = (await desk(vault).list(PERSON, { status: 'pending' }))[0]?.id
          await sleep(20)
        }
        await approve(vault, id)
        const answer = await asked
        assert.equal((answer.structuredContent as Body)['value'], 'of stripe')
        assert.match(heard[0] ?? '', /^Read keys\/stripe waits for a person: sallyport approvals/)
        const refused = await client.callTool(call)
        assert.equal(refused.isError, true)
        const { error } = refused.structuredContent as { error: Body }
        assert.equal(error['code'], 'APPROVAL_REQUIRED')
        const [next] = await desk(vault).list(PERSON, { status: 'pending' })
        await desk(vault).decide(PERSON, next?.id ?? '', 'deny')
        const denied = await client.callTool(call)
        assert.equal((denied.structuredContent as { error: Body }).error['code'], 'ACCESS_DENIED')
        // What was denied is not asked again; the era that comes next asks by another path.
        await desk(vault)
          .cancel(PERSON, next?.id ?? '')
          .catch(() => undefined)
        if (era === 'legacy') await renewed(vault)
      }
    })

    /** Another revision of the policy: what people said before is about another one. */
    async function renewed(vault: TestVault): Promise<PathPolicyInfo> {
      const [policy] = await vault.policies.list(PERSON, V)
      return vault.policies.update(PERSON, V, policy?.id ?? '', { priority: 7 })
    }

    test('64 readers, two processes, one approval: one passes', async () => {
      const { vault, agent } = await fresh()
      const twin = await open.twin(vault)
      const callers = [agent.caller, await callerBy(twin, agent.key)] as const
      await approve(vault, await waits(read(vault, agent.caller, 'keys/stripe')))
      const settled = await Promise.allSettled(
        Array.from({ length: 64 }, (_, i) =>
          i % 2 === 0
            ? read(vault, callers[0], 'keys/stripe')
            : read(twin, callers[1], 'keys/stripe'),
        ),
      )
      const passed = settled.filter(({ status }) => status === 'fulfilled')
      assert.equal(passed.length, 1)
      for (const one of settled)
        if (one.status === 'rejected')
          assert.ok(isFault(one.reason, 'APPROVAL_REQUIRED'), String(one.reason))
      const { accessCount } = await vault.vault.describe(PERSON, V, 'keys/stripe')
      assert.equal(accessCount, 1)
      assert.equal((await desk(vault).list(PERSON, { status: 'pending' })).length, 1)
    })

    test('a scope of five uses, 64 readers on two processes: five pass', async () => {
      const { vault, agent } = await fresh()
      const twin = await open.twin(vault)
      const other = await callerBy(twin, agent.key)
      const id = await waits(read(vault, agent.caller, 'keys/stripe'))
      await desk(vault).decide(PERSON, id, 'approve', {
        widen: { pattern: 'keys/*', seconds: 900, uses: 5 },
      })
      assert.equal(await read(vault, agent.caller, 'keys/stripe'), 'of stripe')
      const settled = await Promise.allSettled(
        Array.from({ length: 64 }, (_, i) => {
          const path = i % 4 < 2 ? 'keys/stripe' : 'keys/twilio'
          return i % 2 === 0 ? read(vault, agent.caller, path) : read(twin, other, path)
        }),
      )
      assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 5)
    })

    test('a yes ends with its time, with the policy it was for, and is nobody else’s', async () => {
      let ahead = 0
      const clock: Clock = () => epochMs(systemClock() + ahead)
      const { vault, agent, policy } = await fresh(['list', 'read'], ONCE, clock)
      await approve(vault, await waits(read(vault, agent.caller, 'keys/stripe')))
      const stranger = await agentWith(vault, [['keys/**', ['read'], { approval: ONCE }]], {
        name: 'other',
      })
      await waits(read(vault, stranger.caller, 'keys/stripe'))
      ahead = 901_000
      const late = await waits(read(vault, agent.caller, 'keys/stripe'))
      await approve(vault, late)
      await vault.policies.update(PERSON, V, policy.id, { priority: 3 })
      await vault.policies.update(PERSON, V, policy.id, { priority: policy.priority })
      const anew = await waits(read(vault, agent.caller, 'keys/stripe'))
      assert.notEqual(anew, late)
      await approve(vault, anew)
      const denied = await vault.policies.create(PERSON, V, {
        pattern: 'keys/stripe',
        principalType: 'agent',
        principalId: agent.id,
        permissions: ['read'],
        effect: 'deny',
      })
      await refuses(read(vault, agent.caller, 'keys/stripe'), 'ACCESS_DENIED')
      await vault.policies.remove(PERSON, V, denied.id)
      assert.equal(await read(vault, agent.caller, 'keys/stripe'), 'of stripe')
    })

    test('as many people as the policy says, whatever else allows it', async () => {
      const { vault, agent } = await fresh(['list', 'read'], { needed: 2, expiresInSeconds: 900 })
      await vault.policies.create(PERSON, V, {
        pattern: '**',
        principalType: 'agent',
        principalId: agent.id,
        permissions: ['read'],
        priority: 100,
      })
      const owner = await userWith(vault, 'owner')
      const second = await signedIn(vault, 'admin', systemClock())
      const id = await waits(read(vault, agent.caller, 'keys/stripe'))
      await approve(vault, id)
      assert.equal(await waits(read(vault, agent.caller, 'keys/stripe')), id)
      await refuses(desk(vault).decide(owner.caller, id, 'approve'), 'ACCESS_DENIED')
      await refuses(desk(vault).decide(PERSON, id, 'approve'), 'CONFLICT')
      await desk(vault).decide(second.caller, id, 'approve')
      assert.equal(await read(vault, agent.caller, 'keys/stripe'), 'of stripe')
      await waits(read(vault, agent.caller, 'keys/stripe'))
    })

    test('what fails for another reason spends no yes', async () => {
      const { vault, agent } = await fresh()
      await approve(vault, await waits(read(vault, agent.caller, 'keys/stripe')))
      await vault.vault.setVersionEnabled(PERSON, V, 'keys/stripe', 1, false)
      await refuses(read(vault, agent.caller, 'keys/stripe'), 'SECRET_SPENT')
      await vault.vault.setVersionEnabled(PERSON, V, 'keys/stripe', 1, true)
      assert.equal(await read(vault, agent.caller, 'keys/stripe'), 'of stripe')
    })

    test('writing waits for this very value, deleting for this path', async () => {
      const { vault, agent } = await fresh(['list', 'write', 'delete'])
      const put = (value: string) =>
        vault.vault.put(agent.caller, V, { path: 'keys/stripe', value: secret(value) })
      const first = await waits(put('the new value'))
      await approve(vault, first)
      const other = await waits(put('some other value'))
      assert.notEqual(other, first)
      assert.equal((await put('the new value')).version, 2)
      await waits(put('the new value'))
      const made = () => vault.vault.rotateGenerated(agent.caller, V, { path: 'keys/twilio' })
      await approve(vault, await waits(made()))
      assert.equal((await made()).version, 2)
      const gone = () => vault.vault.delete(agent.caller, V, 'keys/twilio')
      await approve(vault, await waits(gone()))
      await gone()
      await refuses(vault.vault.describe(PERSON, V, 'keys/twilio'), 'SECRET_NOT_FOUND')
      const { fields = [] } = (await desk(vault).status(PERSON, first)).preview
      assert.equal(JSON.stringify(fields).includes('the new value'), false)
    })

    test('what is read only after an approval is not shared', async () => {
      const { vault, agent } = await fresh(['list', 'read', 'write'])
      await vault.policies.create(PERSON, V, {
        pattern: 'keys/**',
        principalType: 'agent',
        principalId: agent.id,
        permissions: ['share'],
      })
      const share = vault.sharing.shares.create(
        agent.caller,
        { vault: V, path: 'keys/stripe' },
        {
          recipientType: 'agent',
          recipientId: agent.id,
          expiresAt: epochMs(systemClock() + 60_000),
        },
      )
      await refuses(share, 'ACCESS_DENIED')
      assert.equal((await desk(vault).list(PERSON)).length, 0)
    })

    test('use of several asks for all that waits at once, and spends nothing before', async () => {
      const { vault, agent } = await fresh(['list', 'use'])
      const use = () => vault.vault.use(agent.caller, V, ['keys/stripe', 'keys/twilio'])
      await waits(use())
      const pending = await desk(vault).list(PERSON, { status: 'pending' })
      assert.equal(pending.length, 2)
      await approve(vault, pending[0]?.id ?? '')
      await waits(use())
      await approve(vault, pending[1]?.id ?? '')
      const used = await use()
      assert.equal(used.length, 2)
      for (const one of used) if ('value' in one) one.value.wipe()
      await waits(use())
    })

    test('HTTP: a policy asks by either name; what is not kept is refused with its field', async () => {
      const { vault, agent } = await fresh()
      const owner = await userWith(vault, 'owner')
      const serving = await serveTestApi(vault)
      stops.push(() => serving.stop())
      const [{ id } = { id: '' }] = await vault.vault.listVaults(PERSON)
      const post = async (rest: object) => {
        const reply = await serving.ask(`/v1/vaults/${id}/policies`, {
          method: 'POST',
          bearer: owner.key,
          body: {
            secret_path_pattern: 'other/**',
            principal_type: 'agent',
            principal_id: agent.id,
            permissions: ['read'],
            ...rest,
          },
        })
        return { status: reply.status, body: reply.body as Body }
      }
      const trigger = { conditions: [], approval: { min_approvals: 2 } }
      const made = await post({ consensus_trigger: trigger })
      assert.equal(made.status, 201, JSON.stringify(made.body))
      assert.deepEqual(made.body['approval'], { needed: 2, expires_in: 86_400 })
      assert.deepEqual(made.body['consensus_trigger'], { ...trigger, expiry_secs: 86_400 })
      const own = await post({ approval: {} })
      assert.deepEqual(own.body['approval'], { needed: 1, expires_in: 900 })
      const bad: readonly object[] = [
        { approval: { needed: 0 } },
        { approval: { needed: 11 } },
        { approval: { needed: 1, expires_in: 29 } },
        { approval: { needed: 1, roles: ['admin'] } },
        { approval: { needed: 1 }, consensus_trigger: trigger },
        { approval: { needed: 1 }, effect: 'deny' },
        { approval: { needed: 1 }, permissions: ['read', 'share'] },
        { approval: { needed: 1 }, permissions: ['list'] },
        { consensus_trigger: { ...trigger, self_approval_allowed: true } },
        { consensus_trigger: { ...trigger, skip_when: [{ a: 1 }] } },
        { consensus_trigger: { ...trigger, conditions: [{ field: 'x' }] } },
        {
          consensus_trigger: {
            conditions: [],
            approval: { min_approvals: 1, required_roles: ['x'] },
          },
        },
      ]
      for (const rest of bad) {
        const refused = await post(rest)
        assert.equal(
          refused.status,
          400,
          `${JSON.stringify(rest)}: ${JSON.stringify(refused.body)}`,
        )
      }
      const explained = await serving.ask(
        `/v1/policies/explain?vault=${id}&path=keys/stripe&principal_type=agent&principal_id=${agent.id}`,
        { bearer: owner.key },
      )
      assert.equal(
        (explained.body as Body)['reason'],
        "A policy on 'keys/**' allows read once a person has approved it.",
      )
      assert.deepEqual((explained.body as Body)['approval'], { needed: 1, expires_in: 900 })
    })
  })
