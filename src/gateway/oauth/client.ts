import { Fault } from '../../core/faults.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'
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
  readonly now: EpochMs
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
  const { before, document } = choices
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
  if (before !== null && isFit(before, choices)) return before
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

/** Whether a login can begin with the client that was registered for an earlier one. */
function isFit({ kind, client }: Identified, { redirect, now }: ClientChoices): boolean {
  const isCurrent = client.fitUntil === undefined || now < client.fitUntil
  return kind === 'registered' && client.redirect === redirect && isCurrent
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
  const hasProof = known === 'none' || (typeof secret === 'string' && secret.length <= MAX_TEXT)
  if (known === undefined || !hasProof)
    throw refused(`registered us with the proof '${shown(method)}', which cannot be given`)
  const common = { id, reference: null, method: known, redirect }
  if (known === 'none' || typeof secret !== 'string') return { ...common, secret: null }
  const ends = answer.body['client_secret_expires_at']
  // RFC 7591 section 3.2.1: in seconds, and 0 for never.
  const isEnding = typeof ends === 'number' && ends > 0 && ends < MAX_SECONDS
  return {
    ...common,
    secret,
    ...(isEnding && { fitUntil: epochMs(Math.floor(ends * 1_000)) }),
  }
}

const MAX_TEXT = 2_048
/** The last one of the year 9999: later is never. */
const MAX_SECONDS = 253_402_300_799
