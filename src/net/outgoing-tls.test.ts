import assert from 'node:assert/strict'
import { createServer as createTlsServer } from 'node:https'
import { test } from 'node:test'
import { authority, certificateFor } from '../../test/support/certificates.ts'
import { ask, listening, refusal, serve, textOf, way } from '../../test/support/outgoing.ts'

const ca = authority()

async function serveTls(names: readonly string[], from?: Date): Promise<number> {
  const server = createTlsServer(certificateFor(ca, names, from), (request, response) => {
    const { servername } = request.socket as unknown as { servername: string | false }
    response.end(`${String(servername)} ${request.headers.host}`)
  })
  return listening(server)
}

test('TLS: an own authority is trusted beside the others, the name stays in SNI and Host', async () => {
  const port = await serveTls(['idp.lan'])
  const out = way(['idp.lan'], { 'idp.lan': ['127.0.0.1'] }, [ca.cert])
  const asked = ask(`https://idp.lan:${port}/`, { audience: 'public' })
  assert.equal(await textOf(out, asked), `idp.lan idp.lan:${port}`)
})

test('TLS: the dot at the end of a name is not part of it', async () => {
  const port = await serveTls(['idp.lan'])
  const out = way(['idp.lan'], { 'idp.lan': ['127.0.0.1'] }, [ca.cert])
  assert.equal(await textOf(out, ask(`https://idp.lan.:${port}/`)), `idp.lan idp.lan:${port}`)
})

test('TLS: an address stands in the certificate as an address', async () => {
  const port = await serveTls(['127.0.0.1'])
  assert.equal(
    await textOf(way([], {}, [ca.cert]), ask(`https://127.0.0.1:${port}/`)),
    `false 127.0.0.1:${port}`,
  )
})

const UNTRUSTED: readonly [what: string, names: string, from: Date | undefined, trusts: boolean][] =
  [
    ['an unknown authority', 'idp.lan', undefined, false],
    ['another name', 'other.lan', undefined, true],
    ['the address instead of the name', '127.0.0.1', undefined, true],
    ['an expired certificate', 'idp.lan', new Date('2020-01-01'), true],
    ['a certificate of tomorrow', 'idp.lan', new Date(Date.now() + 86_400_000), true],
  ]
for (const [what, names, from, trusts] of UNTRUSTED)
  test(`TLS: ${what} is refused, and the environment cannot change that`, async () => {
    const port = await serveTls([names], from)
    const out = way(['idp.lan'], { 'idp.lan': ['127.0.0.1'] }, trusts ? [ca.cert] : [])
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    try {
      assert.equal(
        await refusal(out.request(ask(`https://idp.lan:${port}/hidden`)), 'NET_FAILED'),
        `https://idp.lan:${port} has a certificate that does not verify.`,
      )
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    }
  })

test('TLS: a server that speaks none', async () => {
  const port = await serve((_request, response) => response.end())
  assert.equal(
    await refusal(way([]).request(ask(`https://127.0.0.1:${port}/hidden`)), 'NET_FAILED'),
    `https://127.0.0.1:${port} speaks no TLS that could be agreed on.`,
  )
})
