import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { ServerTarget } from '../../src/core/gateway-port.ts'
import { newId } from '../../src/core/ids.ts'
import { silentLog } from '../../src/core/log.ts'
import { epochMs, sleep } from '../../src/core/time.ts'
import { RegistryView } from '../../src/gateway/index.ts'
import { giveLeaseBack, takeLease } from '../../src/gateway/oauth/login-repository.ts'
import { browse, guardedServer } from '../support/authorization-server.ts'
import { ORIGIN, userWithKey } from '../support/identity.ts'
import { callerOf, firstOwner } from '../support/people.ts'
import { AGENT, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, race, SQLITE } from '../support/vault-stores.ts'

const T0 = 1_800_000_000_000
const FILES: ServerTarget = { kind: 'stdio', command: ['server', '--dir', '/'], variables: ['X'] }
const REMOTE: ServerTarget = {
  kind: 'http',
  url: 'https://mcp.example.org/mcp',
  headers: [{ name: 'Authorization', value: 'Bearer secret://api/token' }],
}
const DENY = Buffer.from('{"version":"1","default":"deny"}')
const ALLOW = Buffer.from('{"version":"1","default":"allow"}')

const open = new OpenVaults()
afterEach(() => open.close(true))

async function grantAt(vault: TestVault, server: string, policies: readonly string[] = []) {
  const { agent } = await vault.identity.agents.create(PERSON, { name: `of-${server}` })
  const asked = { label: 'laptop', server, policies }
  return (await vault.identity.grants.create(PERSON, agent.id, asked)).grant
}

/** The grants that are not revoked. */
async function counting(vault: TestVault): Promise<readonly string[]> {
  const all = await vault.grants.list(PERSON, null)
  return all.filter(({ revokedAt }) => revokedAt === null).map(({ id }) => id)
}

for (const store of [SQLITE, POSTGRES]) {
  const on = { skip: store.skip }

  test(`registry on ${store.name}: a server is added, shown, listed and removed`, on, async () => {
    const vault = await open.fresh(store, () => epochMs(T0))
    const { servers } = await vault.registry()
    const added = await servers.add(PERSON, 'files', FILES)
    assert.deepEqual(added, {
      name: 'files',
      tag: '1-mywpiww0',
      target: FILES,
      policies: [],
      createdAt: T0,
      createdBy: 'person:local',
      changedAt: T0,
    })
    await servers.add(PERSON, 'a-remote', REMOTE)
    assert.deepEqual(
      (await servers.list(AGENT)).map(({ name, target }) => [name, target]),
      [
        ['a-remote', REMOTE],
        ['files', FILES],
      ],
    )
    assert.deepEqual(await servers.get(AGENT, 'files'), added)
    await assert.rejects(servers.add(PERSON, 'Files', REMOTE), fault('CONFLICT', /'files'/))
    await servers.remove(PERSON, 'files')
    await assert.rejects(servers.get(AGENT, 'files'), fault('NOT_FOUND'))
    await assert.rejects(servers.remove(PERSON, 'files'), fault('NOT_FOUND'))
    assert.deepEqual((await servers.add(PERSON, 'files', REMOTE)).target, REMOTE)
    assert.deepEqual((await vault.audit.verify()).findings, [])
  })

  test(
    `registry on ${store.name}: with a server go its grants, and none comes back`,
    on,
    async () => {
      const vault = await open.fresh(store, () => epochMs(T0))
      const { servers } = await vault.registry()
      const { grants } = vault.identity
      for (const name of ['files', 'other']) await servers.add(PERSON, name, FILES)
      const [own, other] = [await grantAt(vault, 'files'), await grantAt(vault, 'other')]
      const old = { label: 'old', server: 'files', policies: [] }
      const past = (await grants.create(PERSON, own.agentId, old)).grant
      await grants.revoke(PERSON, past.id)
      await servers.remove(PERSON, 'files')
      await servers.add(PERSON, 'files', FILES)
      const counts = new Map(
        (await grants.list(PERSON, null)).map((one) => [one.id, one.revokedAt]),
      )
      assert.deepEqual(
        [own, past, other].map(({ id }) => counts.get(id)),
        [T0, T0, null],
      )
      await assert.rejects(grants.rotate(PERSON, own.id), fault('NOT_FOUND', /that counts/))
      await assert.rejects(grants.attach(PERSON, own.id, 'p'), fault('NOT_FOUND'))
      const [record] = await vault.audit.query({ limit: 1, action: 'server.remove' })
      const { detail } = JSON.parse(record?.body ?? '{}') as { detail?: unknown }
      assert.deepEqual(detail, { server: 'files', grants: [own.id] })
      assert.deepEqual((await vault.audit.verify()).findings, [])
    },
  )

  test(
    `registry on ${store.name}: a grant and the removal of what it names do not both come about`,
    on,
    async () => {
      const vault = await open.fresh(store)
      const twin = await open.twin(vault)
      const { servers, policies } = await vault.registry()
      const { policies: elsewhere } = await twin.registry()
      await servers.add(PERSON, 'kept', FILES)
      const kept = await grantAt(vault, 'kept')
      for (let round = 0; round < 8; round += 1) {
        // Within one process and across two, and either asked for first.
        const [by, from] = round % 2 === 0 ? [vault, policies] : [twin, elsewhere]
        const ordered = (both: readonly (() => Promise<unknown>)[]) =>
          (round % 4 < 2 ? both : both.toReversed()).map((one) => one())
        const asking = (server: string, named: readonly string[]) =>
          by.grants.create(PERSON, kept.agentId, { label: `${round}`, server, policies: named })
        await servers.add(PERSON, 'files', FILES)
        await race(ordered([() => asking('files', []), () => servers.remove(PERSON, 'files')]))
        assert.deepEqual(await counting(vault), [kept.id])
        await assert.rejects(asking('files', []), fault('BAD_INPUT', /'files'/))

        const toKept = { kind: 'grant', id: kept.id } as const
        for (const name of [() => asking('kept', ['p']), () => from.attach(PERSON, 'p', toKept)]) {
          await policies.set(PERSON, 'p', ALLOW)
          const { values, faults } = await race(ordered([name, () => policies.remove(PERSON, 'p')]))
          assert.equal(values.length, 1, faults.join())
          for (const id of await counting(vault))
            if (id !== kept.id) await vault.grants.revoke(PERSON, id)
          await policies.detach(PERSON, 'p', toKept).catch(fault('NOT_FOUND'))
        }
      }
    },
  )

  test(
    `registry on ${store.name}: a login is kept, and renewed by one process at a time`,
    on,
    async () => {
      const vault = await open.fresh(store)
      const { servers, logins: openLogins } = await vault.registry()
      const guard = await guardedServer({ answer: (_body, _request, response) => response.end() })
      await servers.add(PERSON, 'hub', { kind: 'http', url: guard.url, headers: [] })
      const logins = await openLogins()
      const redirect = 'http://127.0.0.1:1/callback'
      const begun = await logins.begin(PERSON, 'hub', redirect, {})
      await logins.finish(PERSON, await browse(begun.url, redirect))
      const twin = await (await (await open.twin(vault)).registry()).logins()
      const place = { server: 'hub', url: guard.url, channel: 'cli' } as const
      const keepers = [logins.keeper, twin.keeper]
      const held = await Promise.all(keepers.map((one) => one.current(place)))
      const renewed = await Promise.all(
        keepers.map(async (one, at) => one.renewed(place, held[at] ?? assert.fail('no login'))),
      )
      assert.equal(guard.authorization.given.length, 2)
      assert.deepEqual(
        renewed.map((one) => one?.access.reveal()),
        [guard.authorization.given[1], guard.authorization.given[1]],
      )
      const lease = (holder: string, at: number) =>
        vault.db.write((tx) => takeLease(tx, { server: 'x', holder }, epochMs(at), 1_000))
      assert.deepEqual(
        [
          await lease('a', T0),
          await lease('b', T0 + 999),
          await lease('b', T0 + 1_000),
          // A clock that was put back by an hour does not hold it for an hour.
          await lease('c', T0 - 3_600_000),
          await lease('d', T0 - 3_600_000),
        ],
        [true, false, true, true, false],
      )
      await vault.db.write((tx) => giveLeaseBack(tx, 'x', 'b'))
      assert.equal(await lease('d', T0 - 3_600_000), false)
      await vault.db.write((tx) => giveLeaseBack(tx, 'x', 'c'))
      assert.equal(await lease('d', T0 - 3_600_000), true)
      assert.deepEqual((await vault.audit.verify()).findings, [])
    },
  )

  test(
    `registry on ${store.name}: a policy is kept, attached, detached and removed`,
    on,
    async () => {
      const vault = await open.fresh(store)
      const { servers, policies } = await vault.registry()
      await servers.add(PERSON, 'files', FILES)
      const grant = await grantAt(vault, 'files')
      const first = await policies.set(PERSON, 'strict', DENY)
      assert.equal((await policies.set(PERSON, 'strict', DENY)).revision, first.revision)
      const second = await policies.set(PERSON, 'strict', ALLOW)
      assert.notEqual(second.revision, first.revision)
      assert.equal((await policies.get(AGENT, 'strict')).text, '{"version":"1","default":"allow"}')

      const toServer = { kind: 'server', name: 'files' } as const
      const toGrant = { kind: 'grant', id: grant.id } as const
      assert.deepEqual(await policies.attach(PERSON, 'strict', toServer), ['strict'])
      assert.deepEqual(await policies.attach(PERSON, 'strict', toGrant), ['strict'])
      await assert.rejects(policies.attach(PERSON, 'strict', toServer), fault('CONFLICT'))
      await assert.rejects(policies.attach(PERSON, 'strict', toGrant), fault('CONFLICT'))
      for (const to of [toServer, toGrant])
        await assert.rejects(policies.attach(PERSON, 'none', to), fault('NOT_FOUND', /'none'/))
      const nowhere = { kind: 'server', name: 'nowhere' } as const
      await assert.rejects(
        policies.attach(PERSON, 'strict', nowhere),
        fault('NOT_FOUND', /'nowhere'/),
      )
      const nobody = { kind: 'grant', id: newId<string>() } as const
      await assert.rejects(policies.attach(PERSON, 'strict', nobody), fault('NOT_FOUND'))

      assert.deepEqual(
        (await policies.list(AGENT)).map(({ name, servers: of }) => [name, of]),
        [['strict', ['files']]],
      )
      await assert.rejects(policies.remove(PERSON, 'strict'), fault('CONFLICT', /a grant/))
      assert.deepEqual(await policies.detach(PERSON, 'strict', toGrant), [])
      await assert.rejects(policies.remove(PERSON, 'strict'), fault('CONFLICT', /files/))
      assert.deepEqual(await policies.detach(PERSON, 'strict', toServer), [])
      await assert.rejects(policies.detach(PERSON, 'strict', toServer), fault('NOT_FOUND'))
      await policies.remove(PERSON, 'strict')
      await assert.rejects(policies.get(AGENT, 'strict'), fault('NOT_FOUND'))
      assert.deepEqual((await vault.audit.verify()).findings, [])
    },
  )

  test(
    `registry on ${store.name}: what is changed elsewhere holds within a second`,
    on,
    async () => {
      const vault = await open.fresh(store)
      const elsewhere = await (await open.twin(vault)).registry()
      const view = await viewOf(vault)
      assert.equal(view.server('files'), null)
      await elsewhere.servers.add(PERSON, 'files', FILES)
      await soon(() => view.server('files') !== null)
      assert.deepEqual(view.policiesAt('files'), [])

      await elsewhere.policies.set(PERSON, 'p', DENY)
      await elsewhere.policies.attach(PERSON, 'p', { kind: 'server', name: 'files' })
      await soon(() => view.policiesAt('files').length === 1)
      assert.equal(view.policiesAt('files')[0]?.policy.fallback, 'deny')
      const { revision } = await elsewhere.policies.set(PERSON, 'p', ALLOW)
      await soon(() => view.policiesAt('files')[0]?.revision === revision)
      assert.equal(view.policiesAt('files')[0]?.policy.fallback, 'allow')
      await elsewhere.servers.remove(PERSON, 'files')
      await soon(() => view.server('files') === null)
      view.close()
    },
  )

  test(
    `registry on ${store.name}: a row that was changed from outside is refused, found, and judges nothing`,
    on,
    async () => {
      const vault = await open.fresh(store)
      const { servers, policies } = await vault.registry()
      await servers.add(PERSON, 'files', FILES)
      await policies.set(PERSON, 'p', DENY)
      await policies.attach(PERSON, 'p', { kind: 'server', name: 'files' })
      const view = await viewOf(vault)
      const tampering = async (sql: string): Promise<void> =>
        vault.db.write(async (tx) => {
          await tx.run(sql, [])
          // Whoever can write there can make it look new.
          await tx.run('update rights set revision = revision + 1', [])
        })
      const allow = ALLOW.toString()
      const deny = DENY.toString()
      for (const [sql, table, back] of [
        [
          `update gateway_policies set document = '${allow}'`,
          'gateway_policies',
          `update gateway_policies set document = '${deny}'`,
        ],
        [
          `update gateway_servers set policies = '[]'`,
          'gateway_servers',
          `update gateway_servers set policies = '["p"]'`,
        ],
      ] as const) {
        await tampering(sql)
        await soon(() => view.policiesAt('files')[0]?.name === '(unreadable)')
        assert.equal(view.policiesAt('files')[0]?.policy.fallback, 'deny')
        assert.throws(() => view.server('files'), fault('STORE_TAMPERED'))
        await assert.rejects(
          RegistryView.open(partsOf(vault, await vault.registry())),
          fault('STORE_TAMPERED'),
        )
        const { findings } = await vault.audit.verify()
        assert.ok(JSON.stringify(findings).includes(table))
        await tampering(back)
        await soon(() => view.policiesAt('files')[0]?.name === 'p')
      }
      view.close()
    },
  )
}

const partsOf = (vault: TestVault, { tables }: Awaited<ReturnType<TestVault['registry']>>) => ({
  db: vault.db,
  tables,
  log: silentLog,
})

async function viewOf(vault: TestVault): Promise<RegistryView> {
  return RegistryView.open(partsOf(vault, await vault.registry()))
}

async function soon(isTrue: () => boolean): Promise<void> {
  for (let waited = 0; waited < 1_000; waited += 20) {
    if (isTrue()) return
    await sleep(20)
  }
  assert.fail('it did not hold after a second')
}

test("registry: what a call is judged by is the server's policies and then the grant's, once each", async () => {
  const vault = await open.fresh(SQLITE)
  const { servers, policies } = await vault.registry()
  await servers.add(PERSON, 'files', FILES)
  for (const name of ['a', 'b', 'c']) await policies.set(PERSON, name, ALLOW)
  for (const name of ['b', 'a'])
    await policies.attach(PERSON, name, { kind: 'server', name: 'files' })
  const view = await viewOf(vault)
  const judging = (named: readonly string[]) =>
    view.policiesAt('files', named).map(({ name, policy }) => [name, policy.fallback])
  assert.deepEqual(judging(['c', 'a']), [
    ['b', 'allow'],
    ['a', 'allow'],
    ['c', 'allow'],
  ])
  // One that is named and not there denies.
  assert.deepEqual(judging(['gone']).at(-1), ['gone', 'deny'])
  assert.deepEqual(view.missingAt('files', ['gone', 'a']), ['gone'])
  assert.deepEqual(
    view.policiesAt('nowhere').map(({ policy }) => policy.fallback),
    ['deny'],
  )
  view.close()
})

test('registry: only a person who is there changes it, and agents of others do not look', async () => {
  let now = T0
  const vault = await open.fresh(SQLITE, () => epochMs(now))
  const { servers, policies } = await vault.registry()
  const session = await firstOwner(vault)
  const owner = await callerOf(vault, session)
  await servers.add(owner, 'files', FILES)
  await policies.set(owner, 'p', DENY)
  const on = { kind: 'server', name: 'files' } as const
  await policies.attach(owner, 'p', on)
  const grant = await grantAt(vault, 'files')
  const { authentication, agents } = vault.identity
  const keyOf = async (role: 'owner' | 'member') =>
    authentication.authenticate((await userWithKey(vault, role)).key, ORIGIN)
  const { key } = await agents.create(PERSON, { name: 'other' })
  const agent = await authentication.authenticate(key.reveal(), ORIGIN)
  now += 6 * 60_000
  for (const [caller, code] of [
    [await keyOf('owner'), 'ACCESS_DENIED'],
    [await keyOf('member'), 'ACCESS_DENIED'],
    [agent, 'ACCESS_DENIED'],
    [AGENT, 'ACCESS_DENIED'],
    [await callerOf(vault, session), 'STEP_UP_REQUIRED'],
  ] as const)
    for (const change of [
      servers.add(caller, 'more', FILES),
      servers.remove(caller, 'files'),
      policies.set(caller, 'p', ALLOW),
      policies.attach(caller, 'p', on),
      policies.attach(caller, 'p', { kind: 'grant', id: grant.id }),
      policies.detach(caller, 'p', on),
    ])
      await assert.rejects(change, fault(code))
  for (const looking of [
    servers.list(agent),
    servers.get(agent, 'files'),
    policies.list(agent),
    policies.get(agent, 'p'),
    policies.attach(agent, 'none', { kind: 'grant', id: grant.id }),
  ])
    await assert.rejects(looking, fault('ACCESS_DENIED'))
  assert.equal((await servers.list(await keyOf('owner'))).length, 1)
})

const stdio = (command: readonly string[], variables: readonly string[] = []): ServerTarget => ({
  kind: 'stdio',
  command,
  variables,
})
const http = (url: string, ...headers: readonly [string, string][]): ServerTarget => ({
  kind: 'http',
  url,
  headers: headers.map(([name, value]) => ({ name, value })),
})
const WRONG: readonly (readonly [
  what: string,
  name: string,
  target: ServerTarget,
  field: string,
])[] = [
  ['a name with a slash', 'a/b', FILES, 'name'],
  ['a name with a dot before', '.a', FILES, 'name'],
  ['no program', 'x', stdio([]), 'command'],
  ['an empty program', 'x', stdio(['', 'a']), 'command'],
  ['a NUL character', 'x', stdio(['a', 'b\0']), 'command'],
  ['a variable with its value', 'x', stdio(['a'], ['K=v']), 'env'],
  ['another scheme', 'x', http('ftp://example.org/'), 'url'],
  ['no URL', 'x', http('example.org'), 'url'],
  ['a password in it', 'x', http('https://u:p@example.org/'), 'url'],
  ['a fragment', 'x', http('https://example.org/#a'), 'url'],
  ['a header with its value', 'x', http('https://e.org/', ['X-Key', 'abc']), 'header'],
  ['an odd name of a header', 'x', http('https://e.org/', ['X Key', 'secret://a']), 'header'],
  [
    'a header twice',
    'x',
    http('https://e.org/', ['K', 'secret://a'], ['k', 'secret://b']),
    'header',
  ],
  ['a header of ours', 'x', http('https://e.org/', ['Mcp-Session-Id', 'secret://a']), 'header'],
  ['a line break', 'x', http('https://e.org/', ['K', 'secret://a\r\nX: y']), 'header'],
]
test('registry: what is wrong is named by its field', async () => {
  const vault = await open.fresh(SQLITE)
  const { servers, policies } = await vault.registry()
  for (const [what, name, target, field] of WRONG)
    await assert.rejects(
      servers.add(PERSON, name, target),
      (error) => fault('BAD_INPUT', new RegExp(`^${field} `))(error),
      what,
    )
  await assert.rejects(policies.set(PERSON, 'a b', DENY), fault('BAD_INPUT', /^name /))
  await assert.rejects(
    policies.set(PERSON, 'p', Buffer.from('{"version":"1",\n"defualt":"deny"}')),
    fault('BAD_INPUT', /^p:2:1: .*'default'/),
  )
})
