import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, test } from 'node:test'
import { isFault } from '../../src/core/faults.ts'
import type { Caller } from '../../src/core/principals.ts'
import { LOCAL_PERSON, STEP_UP_MS } from '../../src/core/principals.ts'
import { epochMs } from '../../src/core/time.ts'
import { registerAgent } from '../support/api.ts'
import { act, request, signedIn, steppedClock, T0 } from '../support/approvals.ts'
import { ORIGIN, userWithKey } from '../support/identity.ts'
import { kinds, restore, rows, run } from '../support/tampering.ts'
import { AGENT, agentIn, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, SQLITE } from '../support/vault-stores.ts'

for (const store of [SQLITE, POSTGRES])
  describe(`attacks on approvals, ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    afterEach(() => open.close(true))

    async function fresh() {
      const { clock, step } = steppedClock()
      const vault = await open.fresh(store, clock)
      return { vault, step, clock, approvals: vault.approvals.approvals }
    }

    const shown = (vault: TestVault, bearer: string): Promise<Caller> =>
      vault.identity.authentication.authenticate(bearer, ORIGIN)

    test('nothing that an agent can hold decides, whoever it belongs to', async () => {
      const { vault, approvals } = await fresh()
      const { key } = await registerAgent(vault, [])
      const token = (await vault.identity.authentication.exchange(key, null, ORIGIN)).token.reveal()
      const agent = await shown(vault, key)
      const owner = await userWithKey(vault, 'owner')
      const ownerByKey = await shown(vault, owner.key)
      const second = await registerAgent(vault, [])
      const credentials: readonly [what: string, caller: Caller][] = [
        ['its own key', agent],
        ['a token of its key', await shown(vault, token)],
        ['the key of another agent', await shown(vault, second.key)],
        ['the personal key of an owner', ownerByKey],
        // As a bug in a door would make it: stepped up, and all the same a key.
        [
          'a stepped-up key',
          { ...ownerByKey, access: { ...ownerByKey.access!, steppedUpAt: epochMs(T0) } },
        ],
        ['the local agent', AGENT],
        ['the local agent of a project', agentIn('/project')],
        ['the command line without the gate', { ...AGENT, channel: 'cli' }],
      ]
      for (const requester of [agent, AGENT, ownerByKey]) {
        const { id } = await approvals.request(requester, request())
        for (const [what, caller] of credentials)
          for (const decision of ['approve', 'deny'] as const)
            await assert.rejects(
              approvals.decide(caller, id, decision),
              fault('ACCESS_DENIED'),
              what,
            )
        assert.equal((await approvals.consume(requester, act())).outcome, 'pending')
      }
      const refusals = await vault.audit.query({ action: 'approval.approve', limit: 1000 })
      assert.equal(refusals.length, 3 * credentials.length)
    })

    test('a session decides when it is stepped up, of a person with a say, and real', async () => {
      const { vault, approvals, clock, step } = await fresh()
      await registerAgent(vault, [])
      const admin = await signedIn(vault, 'admin', clock())
      const member = await signedIn(vault, 'member', clock())
      const { id } = await approvals.request(AGENT, request('one', { expiresInSeconds: 86_400 }))
      step(STEP_UP_MS + 1)
      const now = clock()
      const stepped = { steppedUpAt: now }
      const refused: readonly [
        what: string,
        caller: Caller,
        code: 'STEP_UP_REQUIRED' | 'ACCESS_DENIED' | 'UNAUTHENTICATED' | 'NOT_FOUND',
      ][] = [
        ['stepped up too long ago', admin.caller, 'STEP_UP_REQUIRED'],
        ['never stepped up', admin.as({ steppedUpAt: null }), 'STEP_UP_REQUIRED'],
        [
          'from the future',
          admin.as({ steppedUpAt: epochMs(now + 3_600_000) }),
          'STEP_UP_REQUIRED',
        ],
        [
          'of nobody',
          admin.as({ ...stepped, credential: { kind: 'session', id: member.id } }),
          'UNAUTHENTICATED',
        ],
        [
          "somebody else's",
          admin.as({ ...stepped, credential: { kind: 'session', id: member.sessionId } }),
          'UNAUTHENTICATED',
        ],
        ['of a member', member.as(stepped), 'NOT_FOUND'],
        [
          'a key called a session',
          {
            ...admin.as(stepped),
            access: {
              ...admin.as(stepped).access!,
              credential: { kind: 'user-key', id: admin.sessionId },
            },
          },
          'ACCESS_DENIED',
        ],
      ]
      for (const [what, caller, code] of refused)
        await assert.rejects(approvals.decide(caller, id, 'approve'), fault(code), what)
      assert.equal((await approvals.decide(admin.as(stepped), id, 'approve')).status, 'approved')
    })

    test('nobody decides what he asked for himself', async () => {
      const { vault, approvals, clock } = await fresh()
      await registerAgent(vault, [])
      const owner = await signedIn(vault, 'owner', clock())
      const own = await approvals.request(owner.caller, request())
      await assert.rejects(
        approvals.decide(owner.caller, own.id, 'approve'),
        fault('ACCESS_DENIED', /himself/),
      )
      const person = await approvals.request(PERSON, request())
      await assert.rejects(
        approvals.decide({ principal: LOCAL_PERSON, channel: 'page' }, person.id, 'approve'),
        fault('ACCESS_DENIED', /himself/),
      )
      assert.equal((await approvals.decide(PERSON, own.id, 'approve')).status, 'approved')
      assert.equal((await approvals.decide(owner.caller, person.id, 'approve')).status, 'approved')
    })

    test("an agent's own words never stand for an act that is enforced", async () => {
      const { approvals } = await fresh()
      const { action, target, argumentsDigest } = act()
      const preview = { title: 'Say hello' }
      for (const payload of [{ text: 'one' }, argumentsDigest]) {
        const own = await approvals.ask(AGENT, { action, target, payload, preview })
        await approvals.decide(PERSON, own.id, 'approve')
        // Not even if an act had the very digest of the words, under rules of that name.
        const { argumentsDigest: ofWords, policyRevision } = own
        const same = act('one', { argumentsDigest: ofWords, policyRevision })
        assert.deepEqual(await approvals.consume(AGENT, same), { outcome: 'none' })
      }
      assert.deepEqual(await approvals.consume(AGENT, act()), { outcome: 'none' })
      assert.deepEqual(await approvals.consume(AGENT, act('one', { policyRevision: 'own' })), {
        outcome: 'none',
      })
      // Nor does a scope, when it is called what the act is called.
      const grant = await approvals.askGrant(AGENT, {
        place: 'p',
        permission: 'call',
        pattern: '**',
        seconds: 60,
        uses: null,
        policyRevision: 'r1',
      })
      assert.equal(grant.preview.title, 'call ** for 1 minute')
      await approvals.decide(PERSON, grant.id, 'approve')
      assert.deepEqual(await approvals.consume(AGENT, act()), { outcome: 'none' })
    })

    test('words that are shown otherwise are another request', async () => {
      const { approvals } = await fresh()
      const own = { action: 'deploy.run', target: { type: 'site', id: 'www' }, payload: { n: 1 } }
      const first = await approvals.ask(AGENT, { ...own, preview: { title: 'A test' } })
      const second = await approvals.ask(AGENT, { ...own, preview: { title: 'The real one' } })
      assert.notEqual(first.id, second.id)
      assert.equal(
        (await approvals.ask(AGENT, { ...own, preview: { title: 'A test' } })).id,
        first.id,
      )
    })

    test('nobody uses up, cancels or gives back what another one asked for', async () => {
      const { vault, approvals } = await fresh()
      const one = await shown(vault, (await registerAgent(vault, [])).key)
      const two = await shown(vault, (await registerAgent(vault, [])).key)
      const { id } = await approvals.request(one, request())
      await approvals.decide(PERSON, id, 'approve')
      for (const other of [two, AGENT, PERSON])
        assert.deepEqual(await approvals.consume(other, act()), { outcome: 'none' })
      await assert.rejects(approvals.cancel(AGENT, id), fault('ACCESS_DENIED'))
      const taken = await approvals.pass(one, request())
      await approvals.giveBack(two, { ...taken })
      await approvals.giveBack(AGENT, { ...taken })
      assert.equal((await approvals.status(one, id)).status, 'consumed')
    })

    test('whoever is frozen or gone uses nothing up and asks for nothing', async () => {
      const { vault, approvals } = await fresh()
      const { id: agentId, key } = await registerAgent(vault, [])
      const agent = await shown(vault, key)
      for (const caller of [agent, AGENT]) {
        const { id } = await approvals.request(caller, request())
        await approvals.decide(PERSON, id, 'approve')
      }
      await vault.identity.freezes.freeze(PERSON, { kind: 'agent', id: 'local' }, null)
      await assert.rejects(approvals.consume(AGENT, act()), fault('ACCESS_DENIED', /frozen/))
      await assert.rejects(
        approvals.request(AGENT, request('two')),
        fault('ACCESS_DENIED', /frozen/),
      )
      await vault.identity.agents.update(PERSON, agentId, { isActive: false })
      await assert.rejects(approvals.consume(agent, act()), fault('UNAUTHENTICATED'))
      await assert.rejects(approvals.request(agent, request('two')), fault('UNAUTHENTICATED'))
      await assert.rejects(approvals.status(agent, agentId), fault('UNAUTHENTICATED'))
    })

    test('a decision names the arguments that were seen', async () => {
      const { approvals } = await fresh()
      const asked = await approvals.request(AGENT, request())
      await assert.rejects(
        approvals.decide(PERSON, asked.id, 'approve', { expected: act('two').argumentsDigest }),
        fault('CONFLICT', /other arguments/),
      )
      const { argumentsDigest: expected } = asked
      const decided = await approvals.decide(PERSON, asked.id, 'approve', { expected })
      assert.equal(decided.status, 'approved')
    })

    test('two who decide at once: the first word stands', async () => {
      const { vault, approvals, clock } = await fresh()
      await registerAgent(vault, [])
      const owner = await signedIn(vault, 'owner', clock())
      const twin = await open.twin(vault, clock)
      const { id } = await approvals.request(AGENT, request())
      const settled = await Promise.allSettled([
        approvals.decide(PERSON, id, 'deny'),
        twin.approvals.approvals.decide(owner.caller, id, 'approve'),
      ])
      const refusals = settled.filter((one) => one.status === 'rejected')
      assert.equal(refusals.length, 1)
      assert.ok(isFault(refusals[0]?.reason, 'CONFLICT'))
      assert.equal((await approvals.status(AGENT, id)).votes.length, 1)
    })

    test('an id that is none is answered as one that is not there', async () => {
      const { approvals } = await fresh()
      for (const id of ['', 'x', "' or 1=1 --", '00000000-0000-4000-8000-000000000000']) {
        await assert.rejects(approvals.status(AGENT, id), fault('NOT_FOUND'))
        await assert.rejects(approvals.decide(PERSON, id, 'approve'), fault('NOT_FOUND'))
        await assert.rejects(approvals.decide(AGENT, id, 'approve'), fault('ACCESS_DENIED'))
      }
    })
  })

describe('approvals and processes', () => {
  const open = new OpenVaults()
  afterEach(() => open.close(true))

  test('of 64 consumers in two processes of the system one is granted', async () => {
    const vault = await open.fresh(SQLITE)
    const { approvals } = vault.approvals
    const { id } = await approvals.request(AGENT, request())
    await approvals.decide(PERSON, id, 'approve')
    const file = join(import.meta.dirname, '../support/approval-process.ts')
    const children = [0, 1].map(() => {
      const child = spawn(process.execPath, [file, vault.home, '32'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() }
    })
    for (const { lines } of children) assert.equal((await lines.next()).value, 'ready')
    const ended = children.map(({ child }) => once(child, 'exit'))
    for (const { child } of children) child.stdin.end('go\n')
    const said = await Promise.all(
      children.map(async ({ lines }) => String((await lines.next()).value)),
    )
    assert.deepEqual(said.toSorted(), ['granted 0', 'granted 1'])
    assert.equal((await approvals.status(AGENT, id)).status, 'consumed')
    await Promise.all(ended)
  })
})

describe('rows of approvals', () => {
  const open = new OpenVaults()
  afterEach(() => open.close(false))

  async function asked() {
    const { clock } = steppedClock()
    const vault = await open.fresh(SQLITE, clock)
    const { approvals } = vault.approvals
    const { id } = await approvals.request(AGENT, request())
    const grant = await approvals.askGrant(AGENT, {
      place: 'p',
      permission: 'read',
      pattern: 'a/*',
      seconds: 60,
      uses: 1,
      policyRevision: 'r1',
    })
    await approvals.decide(PERSON, grant.id, 'approve')
    await vault.ledger.flush()
    assert.deepEqual(await kinds(vault), [])
    return { vault, approvals, id, grantId: grant.id }
  }

  const edits = [
    "status = 'approved'",
    'status = \'approved\', votes = \'[{"by":"person:local","decision":"approve"}]\'',
    'needed = 0',
    'expires_at = expires_at + 1000000',
    "act_digest = 'x'",
    'preview = \'{"title":"Say hello"}\'',
    "requester = 'agent:local', project = '/x'",
    'mac = zeroblob(32)',
  ]
  for (const edit of edits)
    test(`is refused after: ${edit}`, async () => {
      const { vault, approvals, id } = await asked()
      run(vault, `update approvals set ${edit} where id = ?`, id)
      await assert.rejects(approvals.decide(PERSON, id, 'approve'), fault('STORE_TAMPERED'))
      await assert.rejects(approvals.status(AGENT, id), fault('STORE_TAMPERED'))
      assert.deepEqual(await kinds(vault), ['row-changed'])
    })

  for (const edit of [
    "pattern = '**'",
    'grant_uses = 99',
    'expires_at = 4000000000000',
    "place = 'q'",
  ])
    test(`a grant is refused after: ${edit}`, async () => {
      const { vault, approvals, grantId } = await asked()
      run(vault, `update approvals set ${edit} where id = ?`, grantId)
      const place = edit.startsWith('place') ? 'q' : 'p'
      const within = { place, permission: 'read', path: 'a/b' }
      await assert.rejects(approvals.consume(AGENT, act('x', { within })), fault('STORE_TAMPERED'))
    })

  test('an approval that is put back after it was used is found by verify', async () => {
    const { vault, approvals, id } = await asked()
    await approvals.decide(PERSON, id, 'approve')
    const [before] = rows(vault, `select * from approvals where id = '${id}'`)
    await approvals.pass(AGENT, request())
    await vault.ledger.flush()
    restore(vault, 'approvals', before ?? {})
    assert.deepEqual(await kinds(vault), ['row-rolled-back'])
  })

  test('a request that was taken away is missed by verify', async () => {
    const { vault, id } = await asked()
    run(vault, 'delete from approvals where id = ?', id)
    assert.deepEqual(await kinds(vault), ['row-missing'])
  })
})
