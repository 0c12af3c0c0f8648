// What every answer of a running server says of itself, whatever was asked and however it went.
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, test } from 'node:test'
import { newId } from '../../src/core/ids.ts'
import { registerAgent } from '../support/api.ts'
import { type McpDoor, serveMcpDoor } from '../support/mcp-door.ts'
import { firstOwner } from '../support/people.ts'
import { openTestVault, type TestVault } from '../support/vault.ts'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
}

let vault: TestVault & { dispose(): Promise<void> }
let door: McpDoor
let bearer: string
let cookie: string

before(async () => {
  vault = await openTestVault()
  door = await serveMcpDoor(vault, {}, { behindProxy: ['127.0.0.1'] })
  cookie = `sallyport-session=${(await firstOwner(vault)).cookie}`
  bearer = (await registerAgent(vault, [['**', ['list', 'read']]])).key
})
after(async () => {
  await door?.stop()
  await vault?.dispose()
})

function ask(
  target: string,
  method: string,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const { port } = new URL(door.baseUrl)
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { port, host: '127.0.0.1', path: target, method, headers },
      (reply) => {
        let body = ''
        reply.setEncoding('utf8')
        reply.on('data', (chunk: string) => {
          body += chunk
        })
        reply.on('end', () =>
          resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body }),
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end()
  })
}

const WINDOW = {
  'sec-fetch-site': 'none',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
}
const TARGETS: readonly string[] = [
  '/',
  '/account',
  '/account/keys',
  '/approvals',
  `/approvals/${newId()}`,
  '/sign-in',
  '/sign-in/elsewhere',
  '/sign-in/back?code=x&state=y',
  '/sign-out',
  '/step-up',
  '/setup/x',
  '/join/x',
  '/reset/x',
  `/share/${newId()}`,
  '/passkeys/question',
  '/ask/x',
  '/ask/',
  '/mcp',
  '/health',
  '/ready',
  '/nothing',
  '/v1/health',
  '/v1/vaults',
  '/v1/vaults/default/secrets/none',
  '/v1/nothing',
  `/v1/share/${newId()}`,
  '/openapi.json',
  '/.well-known/jwks.json',
  '/.well-known/oauth-protected-resource',
  '/%2e%2e/x',
  '//evil.example/',
]

test('no answer is shown in a frame, taken for something else, kept, or given to another site', async () => {
  const wrong: string[] = []
  const seen = new Set<number>()
  for (const target of TARGETS)
    for (const method of ['GET', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'TRACE'])
      for (const more of [
        {},
        WINDOW,
        { ...WINDOW, cookie },
        { authorization: `Bearer ${bearer}` },
        { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
        { 'x-forwarded-for': '203.0.113.1', 'x-forwarded-proto': 'http' },
        { 'x-forwarded-for': '203.0.113.1', 'x-forwarded-proto': 'https', host: 'evil.example' },
      ]) {
        const { status, headers, body } = await ask(target, method, more)
        seen.add(status)
        const complain = (what: string): void => {
          wrong.push(`${method} ${target} ${JSON.stringify(more)}: ${status} ${what}`)
        }
        const type = String(headers['content-type'] ?? '')
        if (type.startsWith('text/html')) {
          const csp = String(headers['content-security-policy'])
          if (!csp.includes("frame-ancestors 'none'")) complain('may be framed')
          if (!csp.startsWith("default-src 'none'")) complain('loads what it likes')
          if (headers['x-frame-options'] !== 'DENY') complain('may be framed by old browsers')
          // With none at all a form would come from nowhere.
          if (headers['referrer-policy'] !== 'same-origin') complain('says where it was')
          if (headers['x-content-type-options'] !== 'nosniff') complain('may be sniffed')
        } else if (body !== '' && headers['x-content-type-options'] !== 'nosniff')
          complain(`may be sniffed: ${type}`)
        if (headers['cache-control'] === undefined) complain('may be kept')
        for (const name of Object.keys(headers))
          if (name.startsWith('access-control-')) complain(name)
        if (headers['x-powered-by'] !== undefined || headers['server'] !== undefined)
          complain('names its software')
        const location = headers['location']
        if (typeof location === 'string' && !/^\/(?![/\\])/.test(location))
          complain(`leads to ${location}`)
        if (status >= 500) complain('failed')
      }
  assert.deepEqual([...new Set(wrong)].slice(0, 40), [])
  for (const status of [200, 303, 401, 403, 404, 405]) assert.ok(seen.has(status), `${status}`)
})
