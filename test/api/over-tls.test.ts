import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { authority as authorityOf, certificateFor } from '../support/certificates.ts'
import { type McpDoor, serveMcpDoor } from '../support/mcp-door.ts'
import { openTestVault, PERSON, type TestVault } from '../support/vault.ts'

const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url))

const TARGETS = ['/v1/health', '/v1/vaults', '/v1/nothing', '/health', '/sign-in', '/mcp', '/none']

describe('answers over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-test-'))
  const authority = authorityOf()
  let vault: TestVault & { dispose(): Promise<void> }
  let secure: McpDoor
  let plain: McpDoor
  before(async () => {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const made = certificateFor(authority, ['vault.test', 'localhost'])
    writeFileSync(cert, made.cert)
    writeFileSync(key, made.key)
    vault = await openTestVault()
    secure = await serveMcpDoor(vault, {}, { tls: { cert, key } })
    plain = await serveMcpDoor(vault)
  })
  after(async () => {
    await secure.stop()
    await plain.stop()
    await vault.dispose()
    rmSync(folder, { recursive: true, force: true })
  })

  function fieldOf(target: string, host: string): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const { port } = new URL(secure.baseUrl)
      const asked = request({
        host: '127.0.0.1',
        port,
        path: target,
        ca: authority.cert,
        servername: 'vault.test',
        headers: { host },
        agent: false,
      })
      asked.on('error', reject)
      asked.on('response', (response) => {
        response.resume()
        resolve(response.headers['strict-transport-security'])
      })
      asked.end()
    })
  }

  test('say for a year that nothing is to come over plain HTTP, whatever they are', async () => {
    for (const target of TARGETS)
      assert.equal(await fieldOf(target, 'vault.test:8443'), 'max-age=31536000', target)
  })

  test('say so neither of names of this machine nor over plain HTTP', async () => {
    for (const host of ['localhost', 'LOCALHOST:4747', 'a.localhost', '127.0.0.1:1', '[::1]:443'])
      assert.equal(await fieldOf('/v1/health', host), undefined, host)
    for (const target of TARGETS) {
      const { headers, body } = await fetch(plain.baseUrl + target)
      await body?.cancel()
      assert.equal(headers.get('strict-transport-security'), null, target)
    }
  })

  test('of a server behind the gateway are those of one connection, whichever reader its requests are for', async () => {
    const { servers, policies } = await vault.registry()
    const command = [process.execPath, ECHO]
    await servers.add(PERSON, 'echo', { kind: 'stdio', command, variables: [] })
    await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
    const { agent } = await vault.identity.agents.create(PERSON, { name: 'agent' })
    const asked = { label: 'laptop', server: 'echo', policies: ['open'] }
    const { bearer } = await vault.identity.grants.create(PERSON, agent.id, asked)
    const { port } = new URL(secure.baseUrl)
    const host = `localhost:${port}`
    const hello = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'raw', version: '1' },
      },
    })
    const post = (body: string, token: string): string =>
      [
        'POST /s/echo/mcp HTTP/1.1',
        `Host: ${host}`,
        `Authorization: Bearer ${token}`,
        'Content-Type: application/json',
        'Accept: application/json, text/event-stream',
        `Content-Length: ${body.length}`,
        '',
        body,
      ].join('\r\n')
    const socket = connect({
      host: '127.0.0.1',
      port: Number(port),
      ca: authority.cert,
      servername: 'localhost',
    })
    let heard = ''
    socket.setEncoding('utf8').on('data', (piece: string) => {
      heard += piece
    })
    try {
      socket.write(post(hello, bearer.reveal()) + post(hello, 'nobody'))
      socket.write(`GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      await once(socket, 'close')
    } finally {
      socket.destroy()
    }
    assert.deepEqual(
      [...heard.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
      ['200', '401', '200'],
    )
    assert.match(heard, /"serverInfo"/)
  })
})
