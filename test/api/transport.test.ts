import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { request } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { type Binding, openListener } from '../../src/app/listener.ts'
import { silentLog } from '../../src/core/log.ts'
import { sleep } from '../../src/core/time.ts'
import { exchangedToken, registerAgent, serveTestApi, type TestApi } from '../support/api.ts'
import { authority as authorityOf, certificateFor } from '../support/certificates.ts'
import { openTestVault, PERSON, type TestVault } from '../support/vault.ts'
import { fault } from '../support/vault-stores.ts'

const BINDING: Binding = { port: 0, host: '127.0.0.1', tls: null, behindProxy: [] }
const answer = (_incoming: IncomingMessage, outgoing: ServerResponse): void => {
  outgoing.end('ok')
}

describe('listening', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-test-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  test('beyond this machine there is TLS, or a proxy that is named', async () => {
    const refused = (binding: Partial<Binding>) =>
      openListener({ ...BINDING, ...binding }, answer, silentLog)
    await assert.rejects(refused({ host: '0.0.0.0' }), fault('BAD_USAGE', /in the clear/))
    await assert.rejects(refused({ host: '192.0.2.1' }), fault('BAD_USAGE', /in the clear/))
    await assert.rejects(
      refused({ behindProxy: ['10.0.0.1/8'] }),
      fault('BAD_USAGE', /behind-proxy/),
    )
    const open = await openListener(
      { ...BINDING, host: '0.0.0.0', behindProxy: ['10.0.0.0/8'] },
      answer,
      silentLog,
    )
    open.server.close()
  })

  test('what never became a request is refused like every other one', async () => {
    const open = await openListener(BINDING, answer, silentLog, {
      headersMs: 300,
      requestMs: 600,
      maxConnections: 9,
      maxOfAddress: 9,
    })
    const begun = 'GET /v1/vaults HTTP/1.1\r\nHost: x\r\n'
    const cases: readonly [what: string, sent: string, status: number, code: string][] = [
      ['header fields too long', `${begun}X: ${'y'.repeat(17_000)}\r\n\r\n`, 431, 'TOO_LARGE'],
      ['no request at all', 'HELLO\r\n\r\n', 400, 'BAD_INPUT'],
      ['a name with a space', `${begun}X y: 1\r\n\r\n`, 400, 'BAD_INPUT'],
      ['two lengths', `${begun}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400, 'BAD_INPUT'],
      ['header fields that do not end', begun, 408, 'BAD_INPUT'],
      ['an expectation', `${begun}Expect: more\r\nConnection: close\r\n\r\n`, 417, 'BAD_INPUT'],
    ]
    try {
      for (const [what, sent, status, code] of cases) {
        const [head = '', body = ''] = (await spoken(open.port, sent)).split('\r\n\r\n')
        assert.match(head, new RegExp(`^HTTP/1.1 ${status} `), what)
        assert.match(head, /^content-type: application\/problem\+json$/im, what)
        assert.match(head, /^cache-control: no-store$/im, what)
        const problem = JSON.parse(body) as Record<string, unknown>
        assert.deepEqual([problem['status'], problem['code']], [status, code], what)
      }
      // What comes after a request is never in the middle of its answer.
      const two = await spoken(open.port, `${begun}\r\nHELLO\r\n\r\n`)
      assert.match(two, /^HTTP\/1.1 200 OK[\s\S]*ok(?:HTTP\/1.1 400 [\s\S]*)?$/)
    } finally {
      open.server.close()
    }
  })

  test('a new certificate counts without a restart, and one that does not fit its key does not', async () => {
    const authority = authorityOf()
    const cert = join(folder, 'cert.pem')
    const key = join(folder, 'key.pem')
    const write = (name: string): void => {
      const made = certificateFor(authority, [name])
      writeFileSync(cert, made.cert)
      writeFileSync(key, made.key)
    }
    await assert.rejects(
      openListener({ ...BINDING, tls: { cert, key } }, answer, silentLog),
      fault('BAD_INPUT', /certificate/),
    )
    write('one.test')
    const listening = await openListener({ ...BINDING, tls: { cert, key } }, answer, silentLog)
    try {
      assert.deepEqual(await namesAt(listening.port), 'DNS:one.test')
      writeFileSync(cert, certificateFor(authority, ['other.test']).cert)
      await sleep(2_500)
      assert.deepEqual(await namesAt(listening.port), 'DNS:one.test')
      write('two.test')
      for (let n = 0; n < 60 && (await namesAt(listening.port)) !== 'DNS:two.test'; n += 1)
        await sleep(100)
      assert.deepEqual(await namesAt(listening.port), 'DNS:two.test')
    } finally {
      listening.close()
      listening.server.close()
    }
  })
})

/** Sends bytes as they are. @returns what was answered until the server ended the connection */
function spoken(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let answered = ''
    socket.on('data', (chunk) => {
      answered += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answered))
    socket.write(text)
  })
}

function namesAt(port: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, agent: false, rejectUnauthorized: false })
    asked.on('response', (response) => {
      const certificate: PeerCertificate = (response.socket as TLSSocket).getPeerCertificate()
      response.resume()
      resolve(certificate.subjectaltname)
    })
    asked.on('error', reject)
    asked.end()
  })
}

describe('API: requests that are no good', () => {
  let vault: TestVault & { dispose(): Promise<void> }
  let api: TestApi
  let bearer: string
  before(async () => {
    vault = await openTestVault()
    api = await serveTestApi(vault)
    const agent = await registerAgent(vault, [['**', ['list', 'read', 'write']]])
    bearer = await exchangedToken(api, agent.key)
  })
  after(async () => {
    await api.stop()
    await vault.dispose()
  })

  /** Sends bytes as they are and reads until the server has nothing more to say. */
  function raw(text: string, cutAfterMs: number | null = null): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(Number(new URL(api.baseUrl).port), '127.0.0.1')
      let answered = ''
      socket.on('data', (chunk) => {
        answered += chunk.toString('latin1')
      })
      socket.on('error', reject)
      socket.on('close', () => resolve(answered))
      socket.write(text)
      if (cutAfterMs !== null) setTimeout(() => socket.destroy(), cutAfterMs)
    })
  }
  const put = (length: number, body: string): string =>
    `PUT /v1/vaults/default/secrets/cut HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bearer}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`

  test('a request that is cut off changes nothing', async () => {
    const body = JSON.stringify({ value: 'the value' })
    await raw(put(body.length + 1, body), 100)
    await raw(put(body.length, body.slice(0, -1)), 100)
    await sleep(100)
    const { total } = await vault.vault.list(PERSON, 'default')
    assert.equal(total, 0)
    assert.match(await raw(put(body.length, body)), /^HTTP\/1\.1 201/)
  })

  test('bodies, targets and headers have limits', async () => {
    const large = await raw(put(2_000_000, ''))
    assert.match(large, /^HTTP\/1\.1 413/)
    assert.match(large, /Connection: close/)
    const long = await api.ask(`/v1/vaults/default/secrets/${'a'.repeat(9000)}`, { bearer })
    assert.equal(long.status, 413)
    const many = await raw(
      `GET /v1/vaults HTTP/1.1\r\nHost: x\r\nX-Much: ${'a'.repeat(20_000)}\r\n\r\n`,
    )
    assert.match(many, /^HTTP\/1\.1 431/)
    const value = await api.ask('/v1/vaults/default/secrets/big', {
      method: 'PUT',
      bearer,
      body: { value: 'v'.repeat(65_537) },
    })
    assert.ok([400, 413].includes(value.status))
  })

  test('a body must be JSON that is text in UTF-8', async () => {
    for (const body of ['{', '[]', 'null', '"text"', '{"value":1}']) {
      const answered = await raw(put(body.length, body))
      assert.match(answered, /^HTTP\/1\.1 400/, body)
    }
    const latin = Buffer.from('{"value":"\u00e9"}', 'latin1').toString('latin1')
    assert.match(await raw(put(latin.length, latin)), /^HTTP\/1\.1 (?:400|201)/)
  })

  test('what another reader could take for something else is refused', async () => {
    const deep = `{"value":"a","metadata":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    for (const body of [
      '{"value":"a","value":"b"}',
      '{"value":"a","\\u0076alue":"b"}',
      '{"value":"a","metadata":{"team":"x","team":"y"}}',
      deep,
    ]) {
      const answered = await raw(put(body.length, body))
      assert.match(answered, /^HTTP\/1\.1 400/, body.slice(0, 60))
    }
    const coded = await api.ask('/v1/vaults/default/secrets/coded', {
      method: 'PUT',
      bearer,
      headers: { 'content-encoding': 'gzip' },
      body: { value: 'a' },
    })
    assert.equal(coded.status, 415)
  })

  test('a change whose condition the call does not know is not made', async () => {
    for (const name of ['if-match', 'if-none-match'] as const) {
      const refused = await api.ask('/v1/vaults', {
        method: 'POST',
        bearer,
        headers: { [name]: '"7"' },
        body: { name: 'conditional' },
      })
      assert.equal(refused.status, 400)
      assert.match(JSON.stringify(refused.body), /"field":"If-(?:None-)?Match"/)
    }
    const { vaults } = (await api.ask('/v1/vaults', { bearer })).body as { vaults: object[] }
    assert.equal(JSON.stringify(vaults).includes('conditional'), false)
  })

  test('HEAD asks for what everybody may know, and for no value', async () => {
    const head = (target: string) =>
      raw(
        `HEAD ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bearer}\r\nConnection: close\r\n\r\n`,
      )
    for (const target of ['/v1/health', '/openapi.json', '/.well-known/jwks.json'])
      assert.match(
        await head(target),
        /^HTTP\/1\.1 200 [\s\S]*Content-Length: [1-9][\s\S]*\r\n\r\n$/,
      )
    assert.match(await head('/v1/vaults/default/secrets/cut'), /^HTTP\/1\.1 405 /)
  })

  test('the id of a request comes back when it is one', async () => {
    const good = await api.ask('/v1/vaults', {
      bearer,
      headers: { 'x-request-id': 'abc-12345678' },
    })
    assert.equal(good.headers.get('x-request-id'), 'abc-12345678')
    const bad = await api.ask('/v1/vaults', { bearer, headers: { 'x-request-id': 'a b' } })
    assert.match(bad.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/)
  })
})
