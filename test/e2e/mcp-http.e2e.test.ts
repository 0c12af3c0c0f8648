import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { SecretText } from '../../src/core/secret-text.ts'
import { submitPage } from '../support/secret-server.ts'
import { startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'

const { home, remove } = await temporaryHome()
const serving = await startServing(home)
after(async () => {
  assert.equal(await serving.stop(), 0)
  await remove()
})
const token = serving.token ?? ''
/** Not to be guessed, so that no warning is added to what is answered. */
const STRONG = randomBytes(24).toString('base64url')

async function connect(
  era: 'legacy' | 'modern',
  onVisit?: (url: string) => Promise<void>,
): Promise<Client> {
  const client = new Client(
    { name: `${era}-http`, version: '1' },
    {
      capabilities: onVisit === undefined ? {} : { elicitation: { url: {} } },
      versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
    },
  )
  if (onVisit !== undefined)
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      await onVisit('url' in params ? params.url : '')
      return { action: 'accept' }
    })
  await client.connect(
    new StreamableHTTPClientTransport(serving.url, {
      requestInit: { headers: { Authorization: `Bearer ${token}` } },
    }),
  )
  return client
}

for (const era of ['legacy', 'modern'] as const) {
  test(`${era}: tools are listed and called over HTTP`, async () => {
    const client = await connect(era)
    const { tools } = await client.listTools()
    assert.equal(tools.length, 19)
    const path = `http/${era}`
    const stored = await client.callTool({
      name: 'put_secret',
      arguments: { path, value: STRONG, type: 'note' },
    })
    assert.deepEqual(stored.content, [
      { type: 'text', text: `Secret stored at '${path}' (version 1, type: note).` },
    ])
    const denied = await client.callTool({ name: 'get_secret', arguments: { path } })
    assert.equal(denied.isError, true)
    const { resources } = await client.listResources()
    assert.equal(resources[0]?.uri, 'vault://secrets')
    await client.close()
  })

  test(`${era}: input_secret opens a page of the same server`, async () => {
    let opened = ''
    const client = await connect(era, async (url) => {
      opened = url
      await submitPage(url, { value: STRONG })
    })
    const path = `asked-http/${era}`
    const answer = await client.callTool({ name: 'input_secret', arguments: { path } })
    assert.deepEqual(answer.content, [{ type: 'text', text: `OK: '${path}' stored (version 1).` }])
    assert.equal(new URL(opened).origin, serving.url.origin)
    await client.close()
  })

  test(`${era}: a change by another process is told`, async () => {
    const client = await connect(era)
    const told = new Promise<string>((resolve) => {
      client.setNotificationHandler('notifications/resources/updated', ({ params }) =>
        resolve(params.uri),
      )
    })
    if (era === 'legacy') await client.subscribeResource({ uri: 'vault://secrets' })
    else await client.listen({ resourceSubscriptions: ['vault://secrets'] })
    const vault = await openTestVault({ home })
    await vault.vault.put(PERSON, 'default', {
      path: `told/${era}`,
      value: SecretText.fromText('x'),
    })
    await vault.close()
    assert.equal(await told, 'vault://secrets')
    await client.close()
  })
}

const refused: readonly [what: string, headers: Record<string, string>, status: number][] = [
  ['no bearer', {}, 401],
  ['another bearer', { Authorization: `Bearer ${'x'.repeat(43)}` }, 401],
  ['an Origin of another site', { Origin: 'https://evil.example' }, 403],
]
for (const [what, headers, status] of refused)
  test(`refused with ${status}: ${what}`, async () => {
    const response = await fetch(serving.url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    })
    assert.equal(response.status, status)
    assert.ok(!(await response.text()).includes('list_secrets'))
  })

test('a body of a hundred megabytes is refused and the server lives on', async () => {
  const chunk = new Uint8Array(1_000_000).fill(0x61)
  let left = 100
  const body = new ReadableStream({
    pull(controller) {
      left -= 1
      if (left < 0) controller.close()
      else controller.enqueue(chunk)
    },
  })
  const request = fetch(serving.url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    body,
    duplex: 'half',
  })
  // The server stops reading: some clients see its answer, others the closed connection.
  const outcome = await request.then(({ status }) => status).catch(() => 'closed')
  assert.ok(outcome === 413 || outcome === 'closed', String(outcome))
  const client = await connect('modern')
  assert.equal((await client.listTools()).tools.length, 19)
  await client.close()
})

test('values and the bearer are in no log line', () => {
  assert.ok(!serving.log().includes(token))
  assert.ok(!serving.log().includes('typed over http'))
})
