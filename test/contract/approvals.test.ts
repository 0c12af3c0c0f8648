import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { changeLane, type RecordDraft, type RowRevision } from '../../src/audit/index.ts'
import type { ApprovalInfo } from '../../src/core/approval-port.ts'
import { jsonDigest } from '../../src/core/canonical-json.ts'
import { Fault } from '../../src/core/faults.ts'
import type { Caller } from '../../src/core/principals.ts'
import { registerAgent } from '../support/api.ts'
import { act, changePerson, request, signedIn, steppedClock, T0 } from '../support/approvals.ts'
import { ORIGIN } from '../support/identity.ts'
import { AGENT, agentIn, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, race, SQLITE } from '../support/vault-stores.ts'

const MINUTE = 60_000

for (const store of [SQLITE, POSTGRES])
  describe(`approvals on ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    afterEach(() => open.close(true))

    async function fresh() {
      const { clock, step } = steppedClock()
      const vault = await open.fresh(store, clock)
      return { vault, step, clock, approvals: vault.approvals.approvals }
    }

    async function agentOf(vault: TestVault): Promise<{ id: string; caller: Caller }> {
      const { id, key } = await registerAgent(vault, [])
      return { id, caller: await vault.identity.authentication.authenticate(key, ORIGIN) }
    }

    const brief = ({ status, votes }: ApprovalInfo) => [status, votes.map((one) => one.by)]

    test('an act is asked for once, approved by the person, and passes once', async () => {
      const { vault, approvals } = await fresh()
      assert.deepEqual(await approvals.consume(AGENT, act()), { outcome: 'none' })
      const asked = await approvals.request(AGENT, request('one', { reason: 'to take notes' }))
      assert.deepEqual(asked, {
        id: asked.id,
        kind: 'act',
        requester: 'agent:local',
        project: null,
        client: null,
        action: 'gateway.call',
        target: { type: 'tool', id: 'files/write_file' },
        argumentsDigest: asked.argumentsDigest,
        policyRevision: 'r1',
        preview: { title: 'Write a file', fields: [{ label: 'path', value: 'notes/today' }] },
        reason: 'to take notes',
        status: 'pending',
        needed: 1,
        votes: [],
        grant: null,
        within: null,
        createdAt: T0,
        expiresAt: T0 + 15 * MINUTE,
        decidedAt: null,
        consumedAt: null,
      })
      assert.equal((await approvals.request(AGENT, request())).id, asked.id)
      const waiting = await approvals.consume(AGENT, act())
      assert.deepEqual([waiting.outcome], ['pending'])
      const decided = await approvals.decide(PERSON, asked.id, 'approve', { reason: 'fine' })
      assert.deepEqual(decided.votes, [
        { by: 'person:local', decision: 'approve', reason: 'fine', at: T0 },
      ])
      const consumed = await approvals.consume(AGENT, act())
      assert.equal(consumed.outcome, 'granted')
      assert.deepEqual(await approvals.consume(AGENT, act()), { outcome: 'none' })
      assert.equal((await approvals.status(AGENT, asked.id)).status, 'consumed')
      const actions = (await vault.audit.query({ action: 'approval.*' })).map((one) => one.action)
      assert.deepEqual(actions, ['approval.consume', 'approval.approve', 'approval.request'])
    })

    test('what is kept of arguments is a MAC: nobody finds them by trying, nor by asking himself', async () => {
      const { vault, approvals, clock } = await fresh()
      const asked = await approvals.request(AGENT, request())
      const row = await vault.db.read((reader) =>
        reader.get('select * from approvals where id = ?', [asked.id]),
      )
      const { consumption } = await vault.db.write((tx) =>
        approvals.consumeWithin(tx, AGENT, act(), clock()),
      )
      const seen = [JSON.stringify([asked, row, consumption])]
      for (const { body } of await vault.audit.query({ action: 'approval.*' })) seen.push(body)
      assert.match(asked.argumentsDigest, /^[0-9a-f]{64}$/)
      for (const text of seen) assert.ok(!text.includes(act().argumentsDigest), text)
      const { argumentsDigest } = await approvals.request(agentIn('/elsewhere'), request())
      assert.notEqual(argumentsDigest, asked.argumentsDigest)
      const twin = await open.twin(vault, clock)
      const again = await twin.approvals.approvals.request(AGENT, request())
      assert.deepEqual([again.id, again.argumentsDigest], [asked.id, asked.argumentsDigest])
    })

    test('what was approved under a digest of the first form counts for nothing', async () => {
      const { vault, approvals } = await fresh()
      const { id } = await approvals.request(AGENT, request())
      await approvals.decide(PERSON, id, 'approve')
      const { approvals: table } = vault.approvals.tables
      const { action, target, argumentsDigest, policyRevision } = act()
      const first = jsonDigest({
        v: 1,
        kind: 'act',
        who: 'agent:local',
        project: null,
        action,
        target: [target.type, target.id],
        arguments: argumentsDigest,
        policy: policyRevision,
      })
      const lane = changeLane('test.first-form', async (tx, _member: null) => {
        const row = (await table.get(tx, 'id = ?', [id])) ?? assert.fail()
        const revision = row.revision + 1
        const old = { ...row, act_digest: first, arguments_digest: argumentsDigest, revision }
        await table.save(tx, [old])
        const rows: readonly RowRevision[] = [['approvals', id, revision]]
        const record: RecordDraft = {
          kind: 'change',
          action: 'test.first-form',
          caller: PERSON,
          rows,
          detail: {},
        }
        return { value: null, record }
      })
      await vault.ledger.commit(lane, null)
      assert.deepEqual(await approvals.consume(AGENT, act()), { outcome: 'none' })
      assert.notEqual((await approvals.request(AGENT, request())).id, id)
    })

    test('another act is another approval', async () => {
      const { approvals } = await fresh()
      const { id } = await approvals.request(AGENT, request())
      await approvals.decide(PERSON, id, 'approve')
      const others = [
        act('two'),
        act('one', { policyRevision: 'r2' }),
        act('one', { action: 'gateway.list' }),
        act('one', { target: { type: 'tool', id: 'files/delete_file' } }),
        act('one', { target: { type: 'tool files', id: '/write_file' } }),
      ]
      for (const other of others)
        assert.deepEqual(await approvals.consume(AGENT, other), { outcome: 'none' })
      assert.deepEqual(await approvals.consume(agentIn('/elsewhere'), act()), { outcome: 'none' })
      assert.equal((await approvals.consume(AGENT, act())).outcome, 'granted')
    })

    test('of 64 consumers at once on two processes one is granted', async () => {
      const { vault, approvals, clock } = await fresh()
      const twin = await open.twin(vault, clock)
      const { id } = await approvals.request(AGENT, request())
      await approvals.decide(PERSON, id, 'approve')
      const desks = [approvals, twin.approvals.approvals]
      const { values, faults } = await race(
        Array.from({ length: 64 }, (_, at) => desks[at % 2]!.consume(AGENT, act())),
      )
      assert.deepEqual(faults, [])
      assert.equal(values.filter(({ outcome }) => outcome === 'granted').length, 1)
      assert.equal(values.filter(({ outcome }) => outcome === 'none').length, 63)
    })

    test('of 64 who ask at once on two processes all get the same request', async () => {
      const { vault, approvals, clock } = await fresh()
      const desks = [approvals, (await open.twin(vault, clock)).approvals.approvals]
      const { values } = await race(
        Array.from({ length: 64 }, (_, at) => desks[at % 2]!.request(AGENT, request())),
      )
      assert.equal(new Set(values.map(({ id }) => id)).size, 1)
      assert.equal(values.length, 64)
    })

    test('an act that failed before it began gives its approval back, once', async () => {
      const { approvals } = await fresh()
      const { id } = await approvals.request(AGENT, request())
      await approvals.decide(PERSON, id, 'approve')
      const first = await approvals.pass(AGENT, request())
      await approvals.giveBack(AGENT, first)
      assert.equal((await approvals.status(AGENT, id)).status, 'approved')
      await approvals.pass(AGENT, request())
      // Given back already: neither this one nor a copy of it gives back what another act took since.
      await approvals.giveBack(AGENT, first)
      await approvals.giveBack(AGENT, { ...first })
      assert.equal((await approvals.status(AGENT, id)).status, 'consumed')
    })

    test('what is consumed in the transaction of an act that fails is not used up', async () => {
      const { vault, approvals } = await fresh()
      const { id } = await approvals.request(AGENT, request())
      await approvals.decide(PERSON, id, 'approve')
      const acts = changeLane('test.act', async (tx, isFailing: boolean, at) => {
        const { consumption, rows } = await approvals.consumeWithin(tx, AGENT, act(), at)
        if (isFailing) throw new Fault('CONFLICT', 'It could not be done.')
        return {
          value: consumption.outcome,
          record: { kind: 'change', action: 'test.act', caller: AGENT, by: id, rows },
        }
      })
      await assert.rejects(vault.ledger.commit(acts, true), fault('CONFLICT'))
      assert.equal((await vault.ledger.commit(acts, false)).value, 'granted')
      assert.equal((await vault.ledger.commit(acts, false)).value, 'none')
    })

    test('pass says what has to be done, and why not', async () => {
      const { approvals, step } = await fresh()
      await assert.rejects(
        approvals.pass(AGENT, request()),
        fault('APPROVAL_REQUIRED', /sallyport approvals approve [0-9a-f-]{36}/),
      )
      const [first] = await approvals.list(AGENT)
      await approvals.decide(PERSON, first?.id ?? '', 'deny', { reason: 'not today' })
      await assert.rejects(approvals.pass(AGENT, request()), fault('ACCESS_DENIED', /not today$/))
      // A no holds as long as the request would have: nobody is asked again and again.
      step(15 * MINUTE)
      await assert.rejects(approvals.pass(AGENT, request()), fault('APPROVAL_REQUIRED'))
      assert.equal((await approvals.list(AGENT)).length, 2)
    })

    test('what is not decided, or not used, in time counts as no', async () => {
      const { approvals, step } = await fresh()
      const asked = await approvals.request(AGENT, request('one', { expiresInSeconds: 60 }))
      step(MINUTE)
      assert.equal((await approvals.status(AGENT, asked.id)).status, 'expired')
      await assert.rejects(
        approvals.decide(PERSON, asked.id, 'approve'),
        fault('CONFLICT', /is expired/),
      )
      const again = await approvals.request(AGENT, request())
      assert.notEqual(again.id, asked.id)
      await approvals.decide(PERSON, again.id, 'approve')
      step(15 * MINUTE)
      assert.deepEqual(await approvals.consume(AGENT, act()), { outcome: 'none' })
      assert.deepEqual(
        (await approvals.list(AGENT, { status: 'expired' })).map(({ id }) => id),
        [again.id, asked.id],
      )
    })

    test('a grant covers what its pattern, place and permission say, as often and as long as it says', async () => {
      const { approvals, step } = await fresh()
      const scope = { place: 'v1', permission: 'read', pattern: 'api-keys/**' }
      const asked = await approvals.askGrant(AGENT, {
        ...scope,
        seconds: 900,
        uses: 3,
        policyRevision: 'r1',
      })
      assert.equal(asked.preview.title, 'read api-keys/** for 15 minutes, 3 uses')
      const read = (path: string, rest = {}) =>
        approvals.consume(AGENT, {
          ...act(path),
          within: { place: 'v1', permission: 'read', path },
          ...rest,
        })
      assert.equal((await read('api-keys/stripe')).outcome, 'none')
      step(10 * MINUTE)
      const approved = await approvals.decide(PERSON, asked.id, 'approve')
      assert.equal(approved.grant?.until, T0 + 25 * MINUTE)
      const outside = [
        await read('other/stripe'),
        await read('api-keys'),
        await read('api-keys/x', {
          within: { place: 'v2', permission: 'read', path: 'api-keys/x' },
        }),
        await read('api-keys/x', {
          within: { place: 'v1', permission: 'use', path: 'api-keys/x' },
        }),
        await read('api-keys/x', { policyRevision: 'r2' }),
        await read('api-keys/x', { within: undefined }),
      ]
      assert.deepEqual(new Set(outside.map(({ outcome }) => outcome)), new Set(['none']))
      const elsewhere = await approvals.consume(agentIn('/elsewhere'), {
        ...act('api-keys/x'),
        within: { place: 'v1', permission: 'read', path: 'api-keys/x' },
      })
      assert.equal(elsewhere.outcome, 'none')
      assert.equal((await read('api-keys/a')).outcome, 'granted')
      const second = await read('api-keys/b/c')
      assert.ok(second.outcome === 'granted')
      await approvals.giveBack(AGENT, second.taken)
      const { values } = await race(Array.from({ length: 16 }, () => read('api-keys/d')))
      assert.equal(values.filter(({ outcome }) => outcome === 'granted').length, 2)
      assert.equal((await approvals.status(AGENT, asked.id)).status, 'consumed')
      const timed = await approvals.askGrant(AGENT, {
        ...scope,
        seconds: 60,
        uses: null,
        policyRevision: 'r1',
      })
      await approvals.decide(PERSON, timed.id, 'approve')
      step(MINUTE - 1)
      assert.equal((await read('api-keys/d')).outcome, 'granted')
      step(1)
      assert.equal((await read('api-keys/d')).outcome, 'none')
    })

    test('a person says yes to an act and to the same around it', async () => {
      const { approvals, step } = await fresh()
      const asking = (path: string) =>
        request(path, { within: { place: 'v1', permission: 'share', path } })
      const { id } = await approvals.request(AGENT, asking('a/one'))
      const widen = { pattern: 'a/*', seconds: 60, uses: 2 }
      const bad: readonly [string, object][] = [
        ['pattern', { pattern: 'b/*' }],
        ['uses', { uses: 0 }],
        ['seconds', { seconds: null, uses: null }],
      ]
      for (const [field, change] of bad)
        await assert.rejects(
          approvals.decide(PERSON, id, 'approve', { widen: { ...widen, ...change } }),
          fault('BAD_INPUT', new RegExp(`^${field} `)),
        )
      await assert.rejects(approvals.decide(PERSON, id, 'deny', { widen }), fault('BAD_INPUT'))
      assert.equal((await approvals.status(AGENT, id)).status, 'pending')
      const decided = await approvals.decide(PERSON, id, 'approve', { widen })
      assert.deepEqual(decided.within, { place: 'v1', permission: 'share', path: 'a/one' })
      const [grant] = await approvals.list(PERSON, { kinds: ['grant'] })
      assert.deepEqual(
        [grant?.preview.title, grant?.status, grant?.votes.length, grant?.policyRevision],
        ['share a/* for 1 minute, 2 uses', 'approved', 1, 'r1'],
      )
      // The act itself uses its own yes.
      for (const path of ['a/one', 'a/two', 'a/three']) await approvals.pass(AGENT, asking(path))
      await assert.rejects(approvals.pass(AGENT, asking('a/four')), fault('APPROVAL_REQUIRED'))
      const other = await approvals.request(AGENT, asking('b/one'))
      await approvals.decide(PERSON, other.id, 'approve', {
        widen: { pattern: 'b/**', seconds: 60, uses: null },
      })
      step(MINUTE)
      await assert.rejects(approvals.pass(AGENT, asking('b/two')), fault('APPROVAL_REQUIRED'))
      const several = await approvals.request(AGENT, { ...asking('c/one'), needed: 2 })
      const plain = await approvals.request(AGENT, request('plain'))
      for (const one of [several, plain])
        await assert.rejects(
          approvals.decide(PERSON, one.id, 'approve', { widen: { ...widen, pattern: '**' } }),
          fault('BAD_INPUT'),
        )
    })

    test('two of three people make a yes, and those who left do not count', async () => {
      const { vault, approvals, clock } = await fresh()
      const [one, two, three] = [
        await signedIn(vault, 'owner', clock()),
        await signedIn(vault, 'admin', clock()),
        await signedIn(vault, 'admin', clock()),
      ]
      const { caller } = await agentOf(vault)
      const { id } = await approvals.request(caller, request('one', { needed: 2 }))
      assert.deepEqual(brief(await approvals.decide(one.caller, id, 'approve')), [
        'pending',
        [`user:${one.id}`],
      ])
      await assert.rejects(
        approvals.decide(one.caller, id, 'approve'),
        fault('CONFLICT', /your word already/),
      )
      assert.equal((await approvals.consume(caller, act())).outcome, 'pending')
      await changePerson(vault, one.id, { state: 'disabled' })
      assert.equal((await approvals.decide(two.caller, id, 'approve')).status, 'pending')
      assert.equal((await approvals.decide(three.caller, id, 'approve')).status, 'approved')
      await changePerson(vault, three.id, { state: 'disabled' })
      assert.equal((await approvals.consume(caller, act())).outcome, 'none')
      assert.notEqual((await approvals.request(caller, request())).id, id)
    })

    test('one no is a no, and nothing more is decided', async () => {
      const { vault, approvals, clock } = await fresh()
      const owner = await signedIn(vault, 'owner', clock())
      const { caller } = await agentOf(vault)
      const { id } = await approvals.request(caller, request('one', { needed: 2 }))
      await approvals.decide(owner.caller, id, 'approve')
      assert.equal((await approvals.decide(PERSON, id, 'deny')).status, 'denied')
      await assert.rejects(approvals.decide(PERSON, id, 'approve'), fault('CONFLICT', /is denied/))
      assert.equal((await approvals.consume(caller, act())).outcome, 'denied')
    })

    test('the maker of an agent decides for it, other members see nothing of it', async () => {
      const { vault, approvals, clock } = await fresh()
      await agentOf(vault)
      const [maker, other, auditor] = [
        await signedIn(vault, 'admin', clock()),
        await signedIn(vault, 'member', clock()),
        await signedIn(vault, 'auditor', clock()),
      ]
      const { key } = await vault.identity.agents.create(maker.caller, { name: 'made' })
      const caller = await vault.identity.authentication.authenticate(key.reveal(), ORIGIN)
      await changePerson(vault, maker.id, { role: 'member' })
      const { id } = await approvals.request(caller, request())
      await approvals.request(AGENT, request())
      await assert.rejects(approvals.status(other.caller, id), fault('NOT_FOUND'))
      await assert.rejects(approvals.decide(other.caller, id, 'approve'), fault('NOT_FOUND'))
      await assert.rejects(approvals.decide(auditor.caller, id, 'approve'), fault('ACCESS_DENIED'))
      assert.equal((await approvals.list(auditor.caller)).length, 2)
      assert.deepEqual(await approvals.list(other.caller), [])
      const seen = await approvals.list(maker.caller)
      assert.deepEqual(
        seen.map((one) => one.id),
        [id],
      )
      assert.equal((await approvals.decide(maker.caller, id, 'approve')).status, 'approved')
      assert.equal((await approvals.consume(caller, act())).outcome, 'granted')
    })

    test('agents see their own requests alone', async () => {
      const { vault, approvals } = await fresh()
      const [first, second] = [await agentOf(vault), await agentOf(vault)]
      const { id } = await approvals.request(first.caller, request())
      assert.equal((await approvals.status(first.caller, id)).requester, `agent:${first.id}`)
      await assert.rejects(approvals.status(second.caller, id), fault('NOT_FOUND'))
      await assert.rejects(approvals.cancel(second.caller, id), fault('NOT_FOUND'))
      assert.deepEqual(await approvals.list(second.caller), [])
      assert.deepEqual(await approvals.list(second.caller, { requester: `agent:${first.id}` }), [])
      await assert.rejects(approvals.list(second.caller, { before: id }), fault('NOT_FOUND'))
    })

    test('lists are paged, the newest first', async () => {
      const { approvals, step } = await fresh()
      const ids: string[] = []
      for (const text of ['a', 'b', 'c', 'd']) {
        ids.unshift((await approvals.request(AGENT, request(text))).id)
        if (text !== 'b') step(1)
      }
      const first = await approvals.list(PERSON, { limit: 3 })
      const rest = await approvals.list(PERSON, { limit: 3, before: first[2]!.id })
      assert.deepEqual([...first, ...rest].map(({ id }) => id).toSorted(), ids.toSorted())
      assert.equal(first[0]?.id, ids[0])
      await approvals.cancel(AGENT, ids[0]!, 'no longer needed')
      const cancelled = await approvals.list(PERSON, { status: 'cancelled' })
      assert.deepEqual(
        cancelled.map(({ id }) => id),
        [ids[0]],
      )
      await assert.rejects(approvals.cancel(AGENT, ids[0]!), fault('CONFLICT', /is cancelled/))
    })

    test('a requester may have fifty requests waiting', async () => {
      const { approvals } = await fresh()
      for (let i = 0; i < 50; i += 1) await approvals.request(AGENT, request(`${i}`))
      await assert.rejects(approvals.request(AGENT, request('more')), fault('THROTTLED'))
      assert.equal((await approvals.request(AGENT, request('49'))).status, 'pending')
    })

    test('whoever waits hears of a decision in another process', async () => {
      const { vault, approvals, clock } = await fresh()
      const twin = await open.twin(vault, clock)
      const { id } = await approvals.request(AGENT, request())
      const waiting = approvals.decided(AGENT, id, AbortSignal.timeout(20_000))
      await twin.approvals.approvals.decide(PERSON, id, 'deny')
      assert.equal((await waiting).status, 'denied')
      const { id: other } = await approvals.request(AGENT, request('two'))
      await assert.rejects(approvals.decided(AGENT, other, AbortSignal.abort(new Error('left'))), {
        message: 'left',
      })
    })

    test('what was filed is told once, after it is there', async () => {
      const { approvals } = await fresh()
      const told: string[] = []
      const end = approvals.onPending(({ id }) => told.push(id))
      const { id } = await approvals.request(AGENT, request())
      await approvals.request(AGENT, request())
      end()
      await approvals.request(AGENT, request('two'))
      assert.deepEqual(told, [id])
    })

    const bad: readonly [field: string, change: object][] = [
      ['arguments_digest', { argumentsDigest: 'x' }],
      ['action', { action: '' }],
      ['target_id', { target: { type: 'tool', id: 'a\u202eb' } }],
      ['target_type', { target: { type: '', id: 'a' } }],
      ['summary.title', { preview: { title: 'line\nbreak' } }],
      ['summary.title', { preview: { title: 'x'.repeat(201) } }],
      ['summary.body', { preview: { title: 'x', body: 'a\u200bb' } }],
      ['summary.fields.label', { preview: { title: 'x', fields: [{ label: '', value: 'v' }] } }],
      ['reason', { reason: 'a\u0007' }],
      ['expires_in_seconds', { expiresInSeconds: 29 }],
      ['expires_in_seconds', { expiresInSeconds: 604_801 }],
      ['needed', { needed: 0 }],
      ['needed', { needed: 1.5 }],
    ]
    test('a request that could not be shown as it is, is refused', async () => {
      const { approvals } = await fresh()
      for (const [field, change] of bad)
        await assert.rejects(approvals.request(AGENT, request('one', change)), (error) => {
          fault('BAD_INPUT')(error)
          assert.equal((error as Fault).details['field'], field)
          return true
        })
    })
  })
