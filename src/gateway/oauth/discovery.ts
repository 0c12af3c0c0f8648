import { Fault, isFault } from '../../core/faults.ts'
import { bearerChallenge, scopesIn } from './challenge.ts'
import { type Document, isLoopback, type LoginNet } from './login-net.ts'

const MAX_URL = 2_048

/** What a server says of how it is logged in to. */
export interface ProtectedResource {
  /** For what tokens are asked (RFC 8707). */
  readonly resource: string
  readonly issuer: string
  /** Null where its challenge named none. */
  readonly challengeScopes: readonly string[] | null
  readonly supportedScopes: readonly string[]
}

/** An authorization server as its metadata has it. */
export interface AuthorizationServer {
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly registrationEndpoint: string | null
  readonly revocationEndpoint: string | null
  readonly authMethods: readonly string[]
  readonly scopes: readonly string[]
  /** It fetches a document that says who we are. */
  readonly takesDocument: boolean
  /** Its answers name it (RFC 9207). */
  readonly namesItself: boolean
  readonly idTokenAlgorithms: readonly string[] | null
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

/**
 * What the server wants of whoever shows no token: by its refusal, else by where RFC 9728 has such a document.
 *
 * @param headers what it is shown beside a token
 * @throws {Fault} `UNSUPPORTED` when it asks for no login, or says of itself what cannot be
 */
export async function protectedResource(
  net: LoginNet,
  headers: Readonly<Record<string, string>>,
): Promise<ProtectedResource> {
  const { home } = net
  const { challenge, isRefused, failure } = await challenged(net, headers)
  const scope = challenge?.get('scope')
  const challengeScopes = scope === undefined ? null : scopesIn(scope)
  const named = challenge?.get('resource_metadata')
  const document =
    named === undefined
      ? await firstOf(net, resourcePlaces(home), 'resource')
      : await namedDocument(net, named)
  if (document === null) {
    if (!isRefused) throw failure ?? asksForNone(home)
    // Up to 2025-03-26 a server is its own authorization server.
    return { resource: home.href, issuer: home.origin, challengeScopes, supportedScopes: [] }
  }
  const resource = document['resource']
  if (typeof resource !== 'string' || !covers(resource, home))
    throw new Fault(
      'UNSUPPORTED',
      `The server says that it is '${shown(resource)}' and not '${home.href}'; nobody logs in there for another.`,
      { details: { field: 'resource', remedy: 'add the server with the address that it says' } },
    )
  const [issuer] = textsOf(document, 'authorization_servers') ?? []
  if (issuer === undefined)
    throw new Fault('UNSUPPORTED', 'The server names no authorization server.', {
      details: { field: 'authorization_servers' },
    })
  return {
    resource,
    issuer,
    challengeScopes,
    supportedScopes: scopesIn((textsOf(document, 'scopes_supported') ?? []).join(' ')),
  }
}

function asksForNone(home: URL): Fault {
  return new Fault('UNSUPPORTED', `${home.origin} asks for no login.`, {
    details: { remedy: 'keys go into headers: sallyport server add NAME --url URL --header …' },
  })
}

/**
 * The server's word to somebody without a token. Servers let some requests pass and refuse others, in one era or the
 * other, so several are tried; one that gets no answer says nothing of the others.
 *
 * @throws {Fault} `NET_…` when none of them is answered
 */
async function challenged(net: LoginNet, shownHeaders: Readonly<Record<string, string>>) {
  const headers = { ...shownHeaders, accept: 'application/json, text/event-stream' }
  const failures: Fault[] = []
  let isAnswered = false
  let isRefused = false
  const asked = async (method: string, more: Readonly<Record<string, string>>, params: object) => {
    try {
      const body = { jsonrpc: '2.0', id: 1, method, params }
      const answer = await net.head('POST', { ...headers, ...more }, body, failures.length > 0)
      isAnswered = true
      if (answer.status !== 401) return { challenge: null, answer }
      isRefused = true
      return { challenge: bearerChallenge(answer.headers.get('www-authenticate')), answer }
    } catch (error) {
      if (!isFault(error, 'NET_FAILED') && !isFault(error, 'NET_TIMED_OUT')) throw error
      failures.push(error)
      return { challenge: null, answer: null }
    }
  }
  const hello = await asked(
    'initialize',
    {},
    {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'sallyport', version: '1' },
    },
  )
  if (hello.challenge !== null) return { challenge: hello.challenge, isRefused, failure: null }
  const session = hello.answer?.headers.get('mcp-session-id') ?? null
  const legacy = {
    'mcp-protocol-version': '2025-11-25',
    ...(session === null ? {} : { 'mcp-session-id': session }),
  }
  const modern = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' }
  let found = await asked('tools/list', legacy, {})
  if (session !== null) await net.head('DELETE', { ...headers, ...legacy }, null).catch(() => {})
  if (found.challenge === null) found = await asked('tools/list', modern, { _meta: META })
  const [failure = null] = failures
  if (!isAnswered && failure !== null) throw failure
  return { challenge: found.challenge, isRefused, failure }
}

/** RFC 9728 section 3.1: between host and path, then as if there were no path. */
function resourcePlaces(home: URL): readonly URL[] {
  return wellKnown(home, 'oauth-protected-resource', home.search)
}

function wellKnown(base: URL, name: string, search = ''): readonly URL[] {
  const path = base.pathname.replace(/\/$/, '')
  const root = new URL(`/.well-known/${name}`, base.origin)
  if (path === '' && search === '') return [root]
  return [new URL(`/.well-known/${name}${path}${search}`, base.origin), root]
}

async function namedDocument(net: LoginNet, text: string) {
  const url = webAddress(text)
  if (url === null)
    throw new Fault(
      'UNSUPPORTED',
      `The server's resource_metadata '${shown(text)}' is no https address.`,
      {
        details: { field: 'resource_metadata' },
      },
    )
  const { body, status } = await net.get(url)
  if (body !== null) return body
  throw new Fault(
    'UNSUPPORTED',
    `${url.origin} has no metadata where the server says (HTTP ${status}).`,
    { details: { field: 'resource_metadata' } },
  )
}

/** @param member without which it is another document: some servers answer everything at every address */
async function firstOf(
  net: LoginNet,
  places: readonly URL[],
  member: 'resource' | 'issuer',
): Promise<Readonly<Record<string, unknown>> | null> {
  for (const place of places) {
    const { body }: Document = await net.get(place)
    if (typeof body?.[member] === 'string') return body
  }
  return null
}

/** Whether a token for the resource is one for the server: it is the server, or a part of its origin that it stands in. */
function covers(resource: string, home: URL): boolean {
  const url = webAddress(resource)
  if (url === null || url.origin !== home.origin) return false
  if (url.search !== '') return url.href === home.href
  const path = url.pathname.replace(/\/$/, '')
  return home.pathname === path || home.pathname.startsWith(`${path}/`) || url.href === home.href
}

/**
 * RFC 8414 section 3.1 and OpenID Connect Discovery, in the order that MCP has them.
 *
 * @throws {Fault} `UNSUPPORTED` naming what is missing: PKCE with S256 among it
 */
export async function authorizationServer(
  net: LoginNet,
  issuer: string,
): Promise<AuthorizationServer> {
  const url = webAddress(issuer)
  if (url === null || url.search !== '')
    throw new Fault(
      'UNSUPPORTED',
      `The authorization server '${shown(issuer)}' is no https address.`,
      {
        details: { field: 'authorization_servers' },
      },
    )
  const document = await firstOf(net, serverPlaces(url), 'issuer')
  if (document === null)
    throw new Fault('UNSUPPORTED', `The authorization server ${shown(issuer)} has no metadata.`, {
      details: { field: 'authorization_servers' },
    })
  // Compared letter by letter: what is almost the same is how one server passes for another (RFC 8414 section 3.3).
  if (document['issuer'] !== issuer)
    throw lacking(issuer, 'issuer', `says that it is '${shown(document['issuer'])}'`)
  return readServer(document, issuer)
}

function serverPlaces(issuer: URL): readonly URL[] {
  const path = issuer.pathname.replace(/\/$/, '')
  const at = (rest: string): URL => new URL(rest, issuer.origin)
  return [
    at(`/.well-known/oauth-authorization-server${path}`),
    at(`/.well-known/openid-configuration${path}`),
    ...(path === '' ? [] : [at(`${path}/.well-known/openid-configuration`)]),
  ]
}

function readServer(
  document: Readonly<Record<string, unknown>>,
  issuer: string,
): AuthorizationServer {
  const endpoint = (name: string): string | null => {
    const text = document[name]
    if (text === undefined || text === null) return null
    if (typeof text === 'string' && webAddress(text) !== null) return text
    throw lacking(issuer, name, `has a ${name} that is no https address`)
  }
  const required = (name: string): string => {
    const found = endpoint(name)
    if (found === null) throw lacking(issuer, name, `names no ${name}`)
    return found
  }
  const allows = (name: string, value: string, isAssumed: boolean): boolean =>
    textsOf(document, name)?.includes(value) ?? isAssumed
  if (!allows('code_challenge_methods_supported', 'S256', false))
    throw lacking(
      issuer,
      'code_challenge_methods_supported',
      'does not offer PKCE with S256, without which a code can be stolen',
    )
  if (!allows('response_types_supported', 'code', true))
    throw lacking(issuer, 'response_types_supported', 'gives no codes')
  if (!allows('grant_types_supported', 'authorization_code', true))
    throw lacking(issuer, 'grant_types_supported', 'takes no codes')
  return {
    issuer,
    authorizationEndpoint: required('authorization_endpoint'),
    tokenEndpoint: required('token_endpoint'),
    registrationEndpoint: endpoint('registration_endpoint'),
    revocationEndpoint: endpoint('revocation_endpoint'),
    authMethods: textsOf(document, 'token_endpoint_auth_methods_supported') ?? [
      'client_secret_basic',
    ],
    scopes: scopesIn((textsOf(document, 'scopes_supported') ?? []).join(' ')),
    takesDocument: document['client_id_metadata_document_supported'] === true,
    namesItself: document['authorization_response_iss_parameter_supported'] === true,
    idTokenAlgorithms: textsOf(document, 'id_token_signing_alg_values_supported'),
  }
}

function lacking(issuer: string, field: string, problem: string): Fault {
  return new Fault('UNSUPPORTED', `The authorization server ${shown(issuer)} ${problem}.`, {
    details: { field, remedy: 'ask who runs it; nothing was sent there' },
  })
}

/** An address that a token or a person may be sent to: https, or this machine itself. */
export function webAddress(text: string): URL | null {
  const url = text.length <= MAX_URL ? URL.parse(text) : null
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return null
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url)) ? url : null
}

function textsOf(
  document: Readonly<Record<string, unknown>>,
  name: string,
): readonly string[] | null {
  const list = document[name]
  if (!Array.isArray(list)) return null
  return list.filter((one): one is string => typeof one === 'string').slice(0, MAX_LIST)
}

const MAX_LIST = 256

/** What somebody else wrote, for an error: short, and nothing that drives a terminal. */
export function shown(value: unknown): string {
  return typeof value === 'string'
    ? value.slice(0, 200).replaceAll(/[^\x20-\x7e]/g, '?')
    : typeof value
}
