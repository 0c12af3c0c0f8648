// What a client is told while a person decides, and what its call becomes: over MCP in both eras, and over HTTP.
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { AskPeople } from '../src/core/approval-port.ts'
import { epochMs, sleep, systemClock } from '../src/core/time.ts'
import { outgoing } from '../src/net/index.ts'
import { Connection, RemoteHandOn, RemotePeople, RemoteVault } from '../src/remote/index.ts'
import { untilApproved } from '../src/secret-tools/approvals.ts'
import { createHandOn } from '../src/vault/index.ts'
import { exchangedToken, registerAgent, serveTestApi } from './support/api.ts'
import { ERAS, type McpClient, serveMcpDoor } from './support/mcp-door.ts'
import { FormBrowser, servePages } from './support/pages.ts'
import { firstOwner, PASSWORD } from './support/people.ts'
import { PERSON, type TestVault } from './support/vault.ts'
import { fault, OpenVaults, POSTGRES, SQLITE, secret } from './support/vault-stores.ts'

interface Told {
  readonly isError: boolean
  readonly text: string
  readonly error?: { readonly code: string; readonly details: Readonly<Record<string, unknown>> }
  readonly share_url?: string
}

/** People as a server with a public address has them. */
function withPages(people: AskPeople, site: string): AskPeople {
  return {
    ...people,
    async state(caller, id) {
      return { ...(await people.state(caller, id)), url: `${site}/approvals/${id}` }
    },
  }
}

const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString()
const LINK = { path: 'config/db', recipient_type: 'anyone_with_link' }

for (const store of [SQLITE, POSTGRES])
  describe(`waiting for a person, ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    const stops: (() => Promise<void>)[] = []
    afterEach(async () => {
      for (const stop of stops.splice(0).toReversed()) await stop()
      await open.close(true)
    })

    const desk = (vault: TestVault) => vault.approvals.approvals

    async function waiting(vault: TestVault): Promise<string> {
      for (;;) {
        const [first] = await desk(vault).list(PERSON, { status: 'pending' })
        if (first !== undefined) return first.id
        await sleep(20)
      }
    }

    /** An agent that may share, and a server whose pages are found where it listens. */
    async function fresh(hasPages = false) {
      const vault = await open.fresh(store)
      await vault.vault.put(PERSON, 'default', { path: 'config/db', value: secret('the value') })
      const agent = await registerAgent(vault, [['config/**', ['list', 'read', 'share']]])
      const pages = await servePages(vault)
      stops.push(() => pages.stop())
      const { people } = vault.approvals
      const door = await serveMcpDoor(vault, {
        openPeople: async () => (hasPages ? withPages(people, pages.site) : people),
        openHandOn: async () => createHandOn(vault.sharing.shares, 'https://vault.example.org'),
        openPolicies: async () => vault.policies,
      })
      stops.push(() => door.stop())
      return { vault, agent, door, pages }
    }

    async function ask(
      client: McpClient,
      args: object,
      onprogress?: (message: string) => void,
    ): Promise<Told> {
      const answer = await client.callTool(
        { name: 'share_secret', arguments: { ...LINK, ...args } },
        onprogress === undefined
          ? undefined
          : { onprogress: ({ message }) => onprogress(message ?? '') },
      )
      const [content] = answer.content as { text: string }[]
      return {
        ...(answer.structuredContent as object),
        isError: answer.isError === true,
        text: content?.text ?? '',
      }
    }

    for (const era of ERAS) {
      test(`${era}: a client that opens pages is sent to the one where the person decides`, async () => {
        const { vault, agent, door, pages } = await fresh(true)
        await firstOwner(vault)
        const person = new FormBrowser(pages.pages, pages.site)
        await person.post('/sign-in', { email: 'ada@example.org', password: PASSWORD, to: '' })
        const shown: string[] = []
        let decision: 'approve' | 'deny' | 'decline' = 'approve'
        let answered = Promise.resolve()
        const answer = async (path: string, yesOrNo: string): Promise<void> => {
          await sleep(50)
          const page = await (await person.get(path)).text()
          const digest = /name="digest" value="([^"]+)"/.exec(page)?.[1] ?? ''
          const csrf = /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? ''
          const fields = { decision: yesOrNo, digest, csrf, reason: 'not today' }
          assert.equal((await person.post(path, fields)).status, 200)
        }
        const client = await door.connect(era, agent.key, 'default', async (url, message) => {
          shown.push(message)
          if (decision === 'decline') return 'decline'
          // The client has opened the page long before the person has read it.
          answered = answer(new URL(url).pathname, decision)
          return 'accept'
        })
        const expires_at = inAnHour()
        const made = await ask(client, { expires_at })
        await answered
        assert.equal(made.isError, false, made.text)
        assert.match(made.share_url ?? '', /^https:\/\/vault\.example\.org\/share\//)
        assert.match(
          shown[0] ?? '',
          /^Share config\/db by a link: a person has to sign in .* \([0-9a-f-]{36}\)\.$/,
        )
        // One yes is one link.
        decision = 'deny'
        const denied = await ask(client, { expires_at })
        assert.equal(denied.isError, true)
        assert.match(denied.text, /^A person denied this \([0-9a-f-]{36}\): not today$/)
        decision = 'decline'
        const later = await ask(client, { expires_at: inAnHour() })
        assert.equal(later.error?.code, 'APPROVAL_REQUIRED')
        assert.equal(later.error?.details['approval'], await waiting(vault))
      })

      test(`${era}: a client that hears progress is told what the person has to do, and waits`, async () => {
        const { vault, agent, door } = await fresh()
        const client = await door.connect(era, agent.key, 'default')
        const heard: string[] = []
        const told = Promise.withResolvers<void>()
        const asked = ask(client, { expires_at: inAnHour() }, (message) => {
          heard.push(message)
          told.resolve()
        })
        await Promise.race([told.promise, asked])
        const id = await waiting(vault)
        await desk(vault).decide(PERSON, id, 'approve')
        const made = await asked
        assert.equal(made.isError, false, made.text)
        assert.deepEqual(heard, [
          `Share config/db by a link waits for a person: sallyport approvals approve ${id}`,
        ])
        assert.equal((await desk(vault).status(PERSON, id)).status, 'consumed')
      })
    }

    test('a client that hears nothing gets the id at once, polls, and passes with the same call', async () => {
      const { vault, agent, door } = await fresh()
      const client = await door.connect('modern', agent.key, 'default')
      const expires_at = inAnHour()
      const asked = await ask(client, { expires_at })
      const id = String(asked.error?.details['approval'])
      assert.match(
        asked.text,
        new RegExp(`It waits as ${id}: sallyport approvals approve ${id}\\.`),
      )
      const poll = async () => {
        const answer = await client.callTool({
          name: 'get_approval_status',
          arguments: { approval_id: id },
        })
        return (answer.structuredContent as { status: string }).status
      }
      assert.equal(await poll(), 'pending')
      await desk(vault).decide(PERSON, id, 'approve')
      assert.equal(await poll(), 'approved')
      // It fails before it began: nothing is there to share.
      await vault.vault.delete(PERSON, 'default', 'config/db')
      assert.equal((await ask(client, { expires_at })).error?.code, 'SECRET_NOT_FOUND')
      assert.equal(await poll(), 'approved')
      await vault.vault.put(PERSON, 'default', { path: 'config/db', value: secret('again') })
      assert.equal((await ask(client, { expires_at })).isError, false)
      assert.equal(await poll(), 'consumed')
    })

    for (const era of ERAS)
      test(`${era}: who asks what became of a request hears it when it is decided, at the page or not`, async () => {
        const { vault, agent, door } = await fresh(true)
        const asking = {
          action: 'deploy.production',
          target_type: 'service',
          target_id: 'shop',
          summary: { title: 'Deploy the shop' },
        }
        let answer: 'accept' | 'decline' = 'accept'
        const urls: string[] = []
        const onVisit = async (url: string): Promise<'accept' | 'decline'> => {
          urls.push(new URL(url).pathname)
          return answer
        }
        const plain = await door.connect(era, agent.key, 'default')
        const visiting = await door.connect(era, agent.key, 'default', onVisit)
        for (const [client, payload] of [
          [plain, 1],
          [visiting, 2],
        ] as const) {
          const filed = await client.callTool({
            name: 'request_approval',
            arguments: { ...asking, payload: { payload } },
          })
          const { approval_id } = filed.structuredContent as { approval_id: string }
          const state = (args: object, onprogress?: () => void) =>
            client
              .callTool(
                { name: 'get_approval_status', arguments: { approval_id, ...args } },
                onprogress === undefined ? undefined : { onprogress },
              )
              .then(({ structuredContent }) => (structuredContent as { status: string }).status)
          assert.equal(await state({}), 'pending')
          answer = 'decline'
          if (client === visiting) assert.equal(await state({ wait_seconds: 30 }), 'pending')
          else assert.equal(await state({ wait_seconds: 1 }), 'pending')
          answer = 'accept'
          const told = Promise.withResolvers<'told'>()
          const waits = state({ wait_seconds: 30 }, () => told.resolve('told'))
          assert.equal(await Promise.race([told.promise, waits]), 'told')
          await desk(vault).decide(PERSON, approval_id, 'approve')
          assert.equal(await waits, 'approved')
          assert.deepEqual(
            urls,
            client === visiting ? Array(2).fill(`/approvals/${approval_id}`) : [],
          )
        }
      })

    test('a yes to a scope lets the calls in it pass without asking, and no more of them', async () => {
      const { vault, agent, door } = await fresh()
      for (const path of ['config/one', 'config/two'])
        await vault.vault.put(PERSON, 'default', { path, value: secret('v') })
      const client = await door.connect('legacy', agent.key, 'default')
      const expires_at = inAnHour()
      const first = await ask(client, { expires_at })
      const id = String(first.error?.details['approval'])
      await desk(vault).decide(PERSON, id, 'approve', {
        widen: { pattern: 'config/*', seconds: 900, uses: 2 },
      })
      for (const path of ['config/db', 'config/one', 'config/two'])
        assert.equal((await ask(client, { path, expires_at })).isError, false, path)
      assert.equal((await ask(client, { expires_at })).error?.code, 'APPROVAL_REQUIRED')
    })

    test('over HTTP it is 403 with the id, or 202 to poll for those who prefer that', async () => {
      const vault = await open.fresh(store)
      await vault.vault.put(PERSON, 'default', { path: 'config/db', value: secret('the value') })
      const agent = await registerAgent(vault, [['config/**', ['list', 'read', 'share']]])
      const api = await serveTestApi(vault)
      stops.push(() => api.stop())
      const bearer = await exchangedToken(api, agent.key)
      const body = { recipient_type: 'anyone_with_link', expires_at: inAnHour() }
      const share = (headers: Readonly<Record<string, string>> = {}) =>
        api.ask('/v1/vaults/default/secret-share/config/db', {
          method: 'POST',
          body,
          bearer,
          headers,
        })
      const refused = await share()
      const problem = refused.body as Readonly<Record<string, string>>
      assert.deepEqual([refused.status, problem['type']], [403, 'approval_required'])
      const headers = { prefer: 'wait=1, respond-async', 'idempotency-key': 'once' }
      const waits = await share(headers)
      const told = waits.body as Readonly<Record<string, string>>
      assert.deepEqual(
        [waits.status, told['status'], waits.headers.get('preference-applied')],
        [202, 'awaiting_approval', 'respond-async'],
      )
      const id = told['pending_approval_id'] ?? ''
      assert.equal(id, problem['approval_request_id'])
      const poll = async () => {
        const { status, body: state } = await api.ask(waits.headers.get('location') ?? '', {
          bearer,
        })
        return [status, (state as { status: string }).status]
      }
      assert.deepEqual(await poll(), [200, 'pending'])
      await desk(vault).decide(PERSON, id, 'approve')
      assert.deepEqual(await poll(), [200, 'approved'])
      assert.equal((await share(headers)).status, 201)
      const denied = await share({ prefer: 'respond-async' })
      const other = (denied.body as Readonly<Record<string, string>>)['pending_approval_id'] ?? ''
      await desk(vault).decide(PERSON, other, 'deny', { reason: 'no more of these' })
      const no = await share({ prefer: 'respond-async' })
      assert.deepEqual(
        [no.status, (no.body as Readonly<Record<string, string>>)['detail']],
        [403, `A person denied this (${other}): no more of these`],
      )
    })
  })

describe('waiting for a person', () => {
  const open = new OpenVaults()
  const stops: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop()
    await open.close(true)
  })

  /** A call of the agent, at a server in remote mode, as a client without pages makes it. */
  async function remote(waitMs: number, signal = new AbortController().signal) {
    const vault = await open.fresh(SQLITE)
    await vault.vault.put(PERSON, 'default', { path: 'config/db', value: secret('the value') })
    const api = await serveTestApi(vault, { site: 'https://vault.example.org' })
    stops.push(() => api.stop())
    const { key } = await registerAgent(vault, [['config/**', ['list', 'read', 'share']]])
    const way = outgoing({ allow: ['127.0.0.1', api.baseUrl] })
    stops.push(() => way.close())
    const connection = new Connection({
      baseUrl: api.baseUrl,
      credential: { kind: 'key', key, agentId: null },
      outgoing: way,
      clock: systemClock,
    })
    const handOn = new RemoteHandOn(connection, new RemoteVault(connection, () => false))
    const heard: string[] = []
    const expiresAt = epochMs(Date.now() + 3_600_000)
    const mcp = {
      canVisit: false,
      hearsProgress: true,
      signal,
      visit: null,
      waitFor: <T>(work: Promise<T>, message: string): Promise<T> => {
        heard.push(message)
        return work
      },
    }
    const made = untilApproved(
      { openPeople: async () => new RemotePeople(connection), caller: PERSON, mcp },
      () =>
        handOn.share(
          PERSON,
          { vault: 'default', path: 'config/db' },
          { recipientType: 'anyone_with_link', expiresAt },
        ),
      waitMs,
    )
    return { vault, made, heard }
  }

  test('at a server in remote mode too', async () => {
    const { vault, made, heard } = await remote(20_000)
    const pending = async () =>
      (await vault.approvals.approvals.list(PERSON, { status: 'pending' }))[0]?.id
    while ((await pending()) === undefined) await sleep(20)
    const id = (await pending()) ?? ''
    await vault.approvals.approvals.decide(PERSON, id, 'approve')
    const share = await made
    assert.ok('url' in share)
    assert.match(share.url.reveal(), /^https:\/\/vault\.example\.org\/share\//)
    assert.deepEqual(heard, [`A call waits for a person: sallyport approvals approve ${id}`])
  })

  test('whoever waited in vain is told the same; whoever left is not answered', async () => {
    const { made } = await remote(50)
    await assert.rejects(made, fault('APPROVAL_REQUIRED'))
    const left = new AbortController()
    const { vault, made: dropped } = await remote(20_000, left.signal)
    const outcome = assert.rejects(dropped, { message: 'left' })
    while ((await vault.approvals.approvals.list(PERSON, { status: 'pending' })).length === 0)
      await sleep(20)
    left.abort(new Error('left'))
    await outcome
  })
})
