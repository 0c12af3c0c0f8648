import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { type EpochMs, epochMs, systemClock, toIso } from '../../src/core/time.ts'
import { Recordings } from '../../src/gateway/recording/index.ts'
import { lineOf, type RecordedCall } from '../../src/gateway/recording/recorded-call.ts'
import { registerAgent, serveTestApi, type TestApi } from '../support/api.ts'
import { ApiBrowser } from '../support/api-browser.ts'
import { userWithKey } from '../support/identity.ts'
import { firstOwner } from '../support/people.ts'
import { OpenVaults, SQLITE } from '../support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>

const open = new OpenVaults()
const serving: TestApi[] = []
afterEach(async () => {
  await Promise.all(serving.splice(0).map((api) => api.stop()))
  await open.close(true)
})

const HOUR = 3_600_000

function recorded(n: number, at: EpochMs, args: object): RecordedCall {
  return {
    kind: 'call',
    n,
    at,
    ends: epochMs(at + 48 * HOUR),
    server: 'files',
    name: 'write',
    isMethod: false,
    principal: 'agent:7',
    labels: null,
    client: 'editor',
    session: 's',
    grant: 'g',
    who: 'registered-agent:7',
    annotations: {},
    toolClass: null,
    names: Object.keys(args),
    args: { value: args, holes: [['text', 'key']] },
    isTooLarge: false,
    verdict: 'allowed',
    rule: null,
    revision: 'r',
    isApproved: false,
    isPaid: false,
    charges: [],
    exceeded: null,
    readsAnswer: false,
  }
}

const DRAFT = {
  drafts: [
    {
      name: 'draft.yaml',
      text: 'version: "1"\ndefault: deny\ntools:\n  write:\n    require:\n      - {conditions: [{path: args.n, op: lt, value: 5}]}\n      - {conditions: [{any: [{path: args.n, op: eq, value: 1}, {path: args.key, op: eq, value: x}]}]}\n',
    },
  ],
}

test('API: drafts are tried on recorded calls; arguments are shown to whoever is there', async () => {
  const vault = await open.fresh(SQLITE)
  const owner = await firstOwner(vault)
  const api = await serveTestApi(vault)
  serving.push(api)
  const browser = new ApiBrowser(api, owner)
  const { db, keys, ledger } = vault
  const now = systemClock()
  const at = epochMs(now - HOUR)
  await new Recordings({ db, keys, ledger, clock: systemClock }).add(
    [1, 5, 2].map((n, place) => {
      const call = recorded(place, epochMs(at + place), { n, key: null })
      return { server: 'files', at: call.at, ends: call.ends, text: lineOf(call) }
    }),
  )
  const ask = async (body: object, bearer?: string) => {
    const reply =
      bearer === undefined
        ? await browser.call('POST', '/v1/gateway/replays', body)
        : await api.ask('/v1/gateway/replays', { method: 'POST', bearer, body })
    return { status: reply.status, body: reply.body as Body }
  }
  const seen = { count: 1, first_at: toIso(epochMs(at + 1)), last_at: toIso(epochMs(at + 1)) }
  const change = {
    server: 'files',
    name: 'write',
    kind: 'tool',
    from: 'allowed',
    to: 'denied',
    was: null,
    rule: '/tools/write/require/0',
    argument_names: ['n', 'key'],
  }
  const told = { ...change, at: toIso(epochMs(at + 1)), principal: 'agent:7', client: 'editor' }
  const { status, body } = await ask({ ...DRAFT, since: toIso(epochMs(at - 1)) })
  assert.deepEqual(
    [status, body],
    [
      200,
      {
        since: toIso(epochMs(at - 1)),
        first_at: toIso(at),
        servers: ['files'],
        compared: 3,
        changed: 1,
        undecidable: 1,
        not_recorded: 0,
        changes: [{ ...change, ...seen }],
        undecided: [
          {
            server: 'files',
            name: 'write',
            kind: 'tool',
            count: 1,
            first_at: toIso(epochMs(at + 2)),
            last_at: toIso(epochMs(at + 2)),
            hangs_on: ['args.key'],
          },
        ],
        calls: [told],
      },
    ],
  )
  const shown = await ask({ ...DRAFT, show_arguments: true })
  assert.deepEqual(shown.body['calls'], [{ ...told, arguments: { n: 5, key: '[not recorded]' } }])
  assert.equal((await ask({ ...DRAFT, since: toIso(epochMs(at + 2)) })).body['compared'], 1)
  assert.equal((await ask({ ...DRAFT, server: 'elsewhere' })).body['compared'], 0)
  for (const wrong of [
    {},
    { drafts: [] },
    { ...DRAFT, since: 'yesterday' },
    { drafts: [{ text: '{' }] },
  ])
    assert.equal((await ask(wrong)).status, 400)

  const admin = await userWithKey(vault, 'admin')
  assert.equal((await ask(DRAFT, admin.key)).status, 200)
  assert.equal((await ask({ ...DRAFT, show_arguments: true }, admin.key)).status, 403)
  const member = await userWithKey(vault, 'member')
  const agent = await registerAgent(vault, [])
  for (const bearer of [member.key, agent.key]) assert.equal((await ask(DRAFT, bearer)).status, 403)
  assert.deepEqual((await vault.audit.verify()).findings, [])
})
