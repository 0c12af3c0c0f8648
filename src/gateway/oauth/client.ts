import { Fault } from '../../core/faults.ts'
import type { LoginClientKind } from '../../core/upstream-login-port.ts'
import { type AuthorizationServer, shown } from './discovery.ts'
import { isLoopback, type LoginNet } from './login-net.ts'
import type { LoginClient } from './sealed-login.ts'

export interface Identified {
  readonly kind: LoginClientKind
  readonly client: LoginClient
}

/** What is known before anybody is asked. */
export interface ClientChoices {
  /** A client that a person registered by hand. */
  readonly given: { readonly id: string; readonly reference: string | null } | null
  /** https address of the document that says who we are, or null. */
  readonly document: string | null
  /** Who we were at this authorization server the last time, or null. */
  readonly before: Identified | null
  readonly redirect: string
  readonly scopes: readonly string[]
}

/** As proofs that we can give: a client without a secret needs none. */
const METHODS = ['none', 'client_secret_basic', 'client_secret_post'] as const

/**
 * Who we are at an authorization server, in the order of MCP: registered by hand, by a document, by registering now
 * (RFC 7591).
 *
 * @throws {Fault} `UNSUPPORTED` when it takes none of them; `NET_…` when it cannot be asked
 */
export async function identified(
  net: LoginNet,
  server: AuthorizationServer,
  choices: ClientChoices,
): Promise<Identified> {
  const { before, document, redirect } = choices
  const given =
    choices.given ??
    (before?.kind === 'given' ? { id: before.client.id, reference: before.client.reference } : null)
  if (given !== null) {
    const method = given.reference === null ? 'none' : methodWithSecret(server)
    return {
      kind: 'given',
      client: { ...given, secret: null, method, redirect: null },
    }
  }
  if (document !== null && server.takesDocument)
    return {
      kind: 'document',
      client: { id: document, secret: null, reference: null, method: 'none', redirect: null },
    }
  if (before?.kind === 'registered' && before.client.redirect === redirect) return before
  if (server.registrationEndpoint === null)
    throw new Fault(
      'UNSUPPORTED',
      `The authorization server ${shown(server.issuer)} registers no clients by itself.`,
      {
        details: {
          field: 'registration_endpoint',
          remedy:
            'register one there by hand and name it: sallyport server login NAME --client-id ID [--client-secret secret://PATH]',
        },
      },
    )
  return {
    kind: 'registered',
    client: await registered(net, server, server.registrationEndpoint, choices),
  }
}

function methodWithSecret({ authMethods, issuer }: AuthorizationServer): LoginClient['method'] {
  const method = METHODS.find((one) => one !== 'none' && authMethods.includes(one))
  if (method !== undefined) return method
  throw noMethod(issuer)
}

function noMethod(issuer: string): Fault {
  return new Fault(
    'UNSUPPORTED',
    `The authorization server ${shown(issuer)} takes no proof that can be given: none, client_secret_basic or client_secret_post.`,
    { details: { field: 'token_endpoint_auth_methods_supported' } },
  )
}

async function registered(
  net: LoginNet,
  server: AuthorizationServer,
  endpoint: string,
  { redirect, scopes }: ClientChoices,
): Promise<LoginClient> {
  const wanted = METHODS.find((one) => server.authMethods.includes(one))
  if (wanted === undefined) throw noMethod(server.issuer)
  const answer = await net.post(
    new URL(endpoint),
    {
      client_name: 'Sallyport',
      redirect_uris: [redirect],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: wanted,
      application_type: isLoopback(new URL(redirect)) ? 'native' : 'web',
      ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
    },
    {},
  )
  const refused = (why: string): Fault =>
    new Fault('NET_FAILED', `The authorization server ${shown(server.issuer)} ${why}.`, {
      details: { field: 'registration_endpoint' },
    })
  if (answer.body === null) throw refused(`did not register us (HTTP ${answer.status})`)
  const { client_id: id, client_secret: secret = null } = answer.body
  const method = answer.body['token_endpoint_auth_method'] ?? wanted
  if (typeof id !== 'string' || id === '' || id.length > MAX_TEXT)
    throw refused('registered us without a client_id')
  const known = METHODS.find((one) => one === method)
  const isFit = known === 'none' || (typeof secret === 'string' && secret.length <= MAX_TEXT)
  if (known === undefined || !isFit)
    throw refused(`registered us with the proof '${shown(method)}', which cannot be given`)
  return {
    id,
    secret: known === 'none' || typeof secret !== 'string' ? null : secret,
    reference: null,
    method: known,
    redirect,
  }
}

const MAX_TEXT = 2_048
