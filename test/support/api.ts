import { createServer, request } from 'node:http'
import { serveApi } from '../../src/api/index.ts'
import { arrivalOf } from '../../src/app/arrival.ts'
import { callInspection } from '../../src/app/call-inspection.ts'
import { type OpenApiOptions, openApi } from '../../src/app/open-api.ts'
import type { AgentRequest } from '../../src/core/identity-port.ts'
import { silentLog } from '../../src/core/log.ts'
import type { AccessPermission, PathPolicyRequest } from '../../src/core/policy-port.ts'
import { ApiContract, type OpenApi } from './api-contract.ts'
import { PERSON, type TestVault } from './vault.ts'

export interface ApiReply {
  readonly status: number
  readonly headers: Headers
  /** Parsed, or null when there was none. */
  readonly body: unknown
}

export interface ApiAsk {
  readonly method?: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly bearer?: string
}

export interface TestApi {
  readonly baseUrl: string
  readonly document: OpenApi
  /** The answer is held to the OpenAPI document. */
  ask(target: string, ask?: ApiAsk): Promise<ApiReply>
  stop(): Promise<void>
}

/** What the first one says of itself: it is the same of every vault, and to make and compile it costs what a test does. */
let described: Promise<ApiContract> | undefined

/**
 * The API of a test's vault on a real listener of loopback.
 *
 * @param trusted proxies whose word counts about where a request came from
 */
export async function serveTestApi(
  vault: TestVault,
  rest: Partial<OpenApiOptions> = {},
  trusted: readonly string[] = [],
): Promise<TestApi> {
  const api = openApi(vault, {
    log: silentLog,
    inspection: callInspection(vault.settings, async () => null, silentLog),
    ...rest,
  })
  const server = createServer((incoming, outgoing) => {
    void serveApi(api, incoming, outgoing, arrivalOf(incoming, trusted))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const baseUrl = `http://127.0.0.1:${port}`
  described ??= send(port, '/openapi.json', {}).then(({ body }) => new ApiContract(body as OpenApi))
  const contract = await described
  return {
    baseUrl,
    document: contract.document,
    async ask(target, ask = {}) {
      const reply = await send(port, target, ask)
      contract.check(ask.method ?? 'GET', target, reply)
      return reply
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** Sends the target as it is: a URL would be tidied first. */
function send(
  port: number,
  path: string,
  { method = 'GET', body, headers, bearer }: ApiAsk,
): Promise<ApiReply> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? null : JSON.stringify(body)
    const outgoing = request({
      host: '127.0.0.1',
      port,
      path,
      method,
      headers: {
        ...(text === null
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...headers,
      },
    })
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const answer = Buffer.concat(chunks).toString('utf8')
        resolve({
          status: response.statusCode ?? 0,
          headers: new Headers(
            Object.entries(response.headers).flatMap(([name, value]): [string, string][] =>
              value === undefined ? [] : [[name, [value].flat().join(', ')]],
            ),
          ),
          body: answer === '' ? null : (JSON.parse(answer) as unknown),
        })
      })
    })
    outgoing.end(text ?? undefined)
  })
}

/** A registered agent with policies on the default vault. @returns its id and key */
export async function registerAgent(
  vault: TestVault,
  policies: readonly (readonly [pattern: string, permissions: readonly AccessPermission[]])[],
  rest: {
    readonly agent?: Partial<AgentRequest>
    readonly policy?: Partial<PathPolicyRequest>
  } = {},
): Promise<{ readonly id: string; readonly key: string }> {
  const { agent, key } = await vault.identity.agents.create(PERSON, { name: 'ci', ...rest.agent })
  for (const [pattern, permissions] of policies)
    await vault.policies.create(PERSON, 'default', {
      pattern,
      permissions,
      principalType: 'agent',
      principalId: agent.id,
      ...rest.policy,
    })
  return { id: agent.id, key: key.reveal() }
}

/** The token that an agent's key is exchanged for. */
export async function exchangedToken(api: TestApi, key: string): Promise<string> {
  const { status, body } = await api.ask('/v1/auth/agent-token', {
    method: 'POST',
    body: { api_key: key },
  })
  if (status !== 200) throw new Error(`the exchange answered ${status}`)
  return (body as { access_token: string }).access_token
}
