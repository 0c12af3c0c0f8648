import { Fault } from '../../core/faults.ts'
import { toIso } from '../../core/time.ts'
import type { LoginInfo, LoginPort } from '../../core/upstream-login-port.ts'
import {
  gatewayLoginBegunSchema,
  gatewayLoginBody,
  gatewayLoginSchema,
  gatewayLogoutSchema,
} from '../contract/gateway.ts'
import { type Operation, operation } from '../operation.ts'
import { madeBy } from './moments.ts'

const TAG = 'gateway'
const PATH = '/v1/gateway/servers/{server}/login'
/** Of the pages: where browsers come back to. */
const BACK = '/servers/back'
const CHANGERS = {
  description: 'Owners and admins, signed in and with a fresh proof; a key changes nothing here.',
}

export interface LoginRouteParts {
  readonly logins: () => Promise<LoginPort>
}

/** How this server logs in at the servers behind it. */
export function loginOperations(open: () => Promise<LoginRouteParts>): readonly Operation[] {
  const logins = async (): Promise<LoginPort> => (await open()).logins()
  return [
    operation({
      id: 'beginGatewayLogin',
      method: 'POST',
      path: PATH,
      tag: TAG,
      summary: 'Begins to log in at a server with an address. The browser does the rest.',
      body: gatewayLoginBody,
      withheld: ['authorization_url'],
      answers: {
        200: { description: 'Where the browser goes on.', schema: gatewayLoginBegunSchema },
        403: CHANGERS,
        404: { description: 'There is no such server.' },
        409: { description: 'The server is shown a header Authorization of its own.' },
        501: {
          description: 'The server or its authorization server lacks something; it is named.',
        },
        502: { description: 'One of them does not answer, or not as it should.' },
        504: { description: 'One of them does not answer in time.' },
      },
      async handle({ caller, params, body, session, site }) {
        const begun = await (await logins()).begin(
          caller,
          params['server'] ?? '',
          `${session?.origin ?? site}${BACK}`,
          { clientId: body.client_id, clientSecret: body.client_secret, scopes: body.scopes },
        )
        return {
          status: 200,
          body: {
            authorization_url: begun.url,
            issuer: begun.issuer,
            client: begun.client,
            scopes: begun.scopes,
            expires_at: toIso(begun.endsAt),
          },
        }
      },
    }),
    operation({
      id: 'getGatewayLogin',
      method: 'GET',
      path: PATH,
      tag: TAG,
      summary: 'The login at a server, without its tokens.',
      answers: {
        200: { description: 'As it is.', schema: gatewayLoginSchema },
        403: { description: 'Only owners and admins may look.' },
        404: { description: 'There is no such server, or nobody logged in there.' },
      },
      async handle({ caller, params }) {
        const server = params['server'] ?? ''
        const login = await (await logins()).get(caller, server)
        if (login === null)
          throw new Fault('NOT_FOUND', `Nobody has logged in at '${server.slice(0, 64)}'.`, {
            details: { remedy: `begin with POST ${PATH}` },
          })
        return { status: 200, body: loginFields(login) }
      },
    }),
    operation({
      id: 'endGatewayLogin',
      method: 'DELETE',
      path: PATH,
      tag: TAG,
      summary: 'Forgets the login at a server, and takes its tokens back where that is offered.',
      answers: {
        200: { description: 'Forgotten.', schema: gatewayLogoutSchema },
        403: CHANGERS,
        404: { description: 'Nobody has logged in there.' },
      },
      async handle({ caller, params }) {
        const { issuer, isRevoked } = await (await logins()).end(caller, params['server'] ?? '')
        return { status: 200, body: { issuer, revoked: isRevoked } }
      },
    }),
  ]
}

function loginFields(login: LoginInfo) {
  return {
    server: login.server,
    state: login.state,
    issuer: login.issuer,
    client: login.client,
    client_id: login.clientId,
    scopes: login.scopes,
    missing_scopes: login.missing,
    ...madeBy(login.loggedInBy),
    created_at: toIso(login.loggedInAt),
    renewed_at: toIso(login.renewedAt),
    expires_at: login.expiresAt === null ? null : toIso(login.expiresAt),
  }
}
