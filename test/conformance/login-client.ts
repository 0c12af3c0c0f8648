// The client of the suite's scenarios on authorization: the gateway logs in at the server whose address comes last, and
// a client behind `sallyport wrap` uses it. The suite starts this program.
import { randomBytes } from 'node:crypto'
import { processEnvironment } from '../../src/core/config.ts'
import { SecretText } from '../../src/core/secret-text.ts'
import type { LoginWish } from '../../src/core/upstream-login-port.ts'
import { browse } from '../support/authorization-server.ts'
import { temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { type Answer, startWrapped } from '../support/wrapped.ts'

/** The suite's name for the document that says who a client is. */
const DOCUMENT = 'https://conformance-test.local/client-metadata.json'
const REDIRECT = 'http://127.0.0.1:1/callback'
/** A person who is sent to log in again and again stops. */
const MAX_LOGINS = 3
const LOGIN = /sallyport server login hub/

const CLIENT = { name: 'behind', version: '1' }
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': CLIENT,
  'io.modelcontextprotocol/clientCapabilities': {},
}

const env = processEnvironment()
const url = process.argv.at(-1) ?? ''
const isModern = env['MCP_CONFORMANCE_PROTOCOL_VERSION'] === '2026-07-28'
const scenario = env['MCP_CONFORMANCE_SCENARIO'] ?? ''
const context = JSON.parse(env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as {
  readonly client_id?: string
  readonly client_secret?: string
}

const { home, remove } = await temporaryHome()
// Elsewhere the suite wants to see a client register itself.
const named = scenario === 'auth/basic-cimd' ? { SALLYPORT_CLIENT_METADATA_URL: DOCUMENT } : {}
const vault = await openTestVault({ home, env: named })
try {
  const { servers, policies, logins: openLogins } = await vault.registry()
  const logins = await openLogins()
  await servers.add(PERSON, 'hub', { kind: 'http', url, headers: [] })
  await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
  await policies.attach(PERSON, 'open', { kind: 'server', name: 'hub' })
  const wish = await wishOf()

  const login = async (): Promise<void> => {
    const begun = await logins.begin(PERSON, 'hub', REDIRECT, wish)
    await logins.finish(PERSON, await browse(begun.url, REDIRECT))
  }
  for (let count = 0; ; count += 1) {
    const problem = await used()
    if (problem === null) break
    if (!LOGIN.test(problem) || count === MAX_LOGINS) throw new Error(problem)
    await login()
  }

  async function wishOf(): Promise<LoginWish> {
    const { client_id: clientId, client_secret: secret } = context
    if (clientId === undefined) return {}
    if (secret === undefined) return { clientId }
    const path = `hub/${randomBytes(4).toString('hex')}`
    await vault.vault.put(PERSON, 'default', { path, value: SecretText.fromText(secret) })
    return { clientId, clientSecret: `secret://${path}` }
  }
} finally {
  await vault.close()
  await remove()
}

/** @returns what a client was told in place of an answer; null when all was answered */
async function used(): Promise<string | null> {
  const wrapped = startWrapped(home, { server: 'hub', ownCommand: true })
  const asked = async (method: string, params: object = {}): Promise<Answer> =>
    wrapped.ask(method + JSON.stringify(params), method, {
      ...params,
      ...(isModern ? { _meta: META } : {}),
    })
  try {
    if (!isModern) {
      const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: CLIENT }
      const { error } = await asked('initialize', params)
      if (error !== undefined) return error.message
      wrapped.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')
    }
    const { error, result } = await asked('tools/list')
    if (error !== undefined) return error.message
    for (const { name } of result?.tools ?? []) {
      const called = await asked('tools/call', { name, arguments: {} })
      if (called.error !== undefined) return called.error.message
    }
    return null
  } finally {
    await wrapped.end()
  }
}
