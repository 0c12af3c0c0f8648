import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientDocument } from './client-document.ts'

const publicUrl = 'https://vault.example.org'
const place = `${publicUrl}/oauth/client.json`

test('client document: it is at the address that is set, with the places browsers come back to', async () => {
  const answer = clientDocument({ clientDocument: place, publicUrl }, '/oauth/client.json')
  assert.deepEqual(await answer?.json(), {
    client_id: 'https://vault.example.org/oauth/client.json',
    client_name: 'Sallyport',
    client_uri: 'https://vault.example.org',
    redirect_uris: ['https://vault.example.org/servers/back', 'http://127.0.0.1/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  })
})

const elsewhere: readonly [
  what: string,
  place: string | null,
  site: string | null,
  target: string,
][] = [
  ['nothing is set', null, publicUrl, '/oauth/client.json'],
  [
    'it is kept by somebody else',
    'https://example.org/oauth/client.json',
    publicUrl,
    '/oauth/client.json',
  ],
  ['this server has no address', place, null, '/oauth/client.json'],
  ['another path', place, publicUrl, '/oauth/client.jsonx'],
  ['a query', place, publicUrl, '/oauth/client.json?a'],
]
for (const [what, set, site, target] of elsewhere)
  test(`client document: there is none when ${what}`, () => {
    assert.equal(clientDocument({ clientDocument: set, publicUrl: site }, target), null)
  })
