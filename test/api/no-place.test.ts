// What clients ask that looked for the API and missed it: they are answered in its form.
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, test } from 'node:test'
import { serveMcpDoor } from '../support/mcp-door.ts'
import { openTestVault } from '../support/vault.ts'

const vault = await openTestVault()
const door = await serveMcpDoor(vault)
after(async () => {
  await door.stop()
  await vault.dispose()
})

/** `fetch` writes no target of its own. */
function asked(
  method: string,
  path: string,
): Promise<{ status: number; type: string; body: string }> {
  const { hostname, port } = new URL(door.baseUrl)
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path }, (reply) => {
      const parts: Buffer[] = []
      reply.on('data', (part: Buffer) => parts.push(part))
      reply.on('end', () =>
        resolve({
          status: reply.statusCode ?? 0,
          type: reply.headers['content-type'] ?? '',
          body: Buffer.concat(parts).toString('utf8'),
        }),
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}

const cases: readonly [method: string, path: string][] = [
  ['GET', '/v1/vaults/default/secret-version/config/db/'],
  ['OPTIONS', '*'],
  ['GET', '*'],
  ['GET', '/v1'],
  ['POST', '/v1'],
  ['GET', '/v1?a=b'],
  ['GET', '/v1/'],
]
for (const [method, path] of cases)
  test(`${method} ${path} is a problem of the API`, async () => {
    const { status, type, body } = await asked(method, path)
    assert.deepEqual([status, type], [404, 'application/problem+json'], body)
    assert.equal((JSON.parse(body) as { detail: string }).detail, 'Not offered by this server.')
  })

test('what only begins like it is none of the API', async () => {
  const { status, type } = await asked('GET', '/v1x')
  assert.equal(status, 404)
  assert.doesNotMatch(type, /problem/)
})
