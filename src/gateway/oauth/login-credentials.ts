import { Unanswered, type UpstreamCredentials } from '../http-exchange.ts'
import { Told } from '../upstream-credentials.ts'
import { bearerChallenge, scopesIn } from './challenge.ts'
import type { HeldLogin, LoginKeeper, LoginUse } from './login-keeper.ts'

/**
 * What a registered server is shown: the headers that were added with it, and the token of the login at it. What a
 * client showed us is never among them.
 *
 * @param base the headers of the server
 */
export function loginCredentials(
  keeper: LoginKeeper,
  place: LoginUse,
  base: UpstreamCredentials,
): UpstreamCredentials {
  const told = new Told()
  const cure = `sallyport server login ${place.server}`
  let shown: HeldLogin | null = null
  const withLogin = (
    login: HeldLogin,
    headers: Readonly<Record<string, string>>,
  ): Readonly<Record<string, string>> => {
    if (login.state === 'needed')
      throw new Unanswered(
        'never-sent',
        `The login at the server '${place.server}' has ended; a person has to log in again: ${cure}.`,
      )
    told.add(login.access.revealBytes())
    return { ...headers, authorization: bearer(login) }
  }
  return {
    async headers() {
      const headers = await base.headers()
      const known = keeper.now(place)
      const login = known === undefined ? await keeper.current(place) : known
      shown = login
      return login === null ? headers : withLogin(login, headers)
    },
    headersNow() {
      const login = keeper.now(place)
      if (login === undefined || login?.state === 'needed') return null
      const headers = base.headersNow?.() ?? null
      if (headers === null) return null
      shown = login
      return login === null ? headers : withLogin(login, headers)
    },
    async renew(challenge, refused) {
      const login = shown
      if (login === null) await base.renew(challenge, refused)
      else if (refused['authorization'] === bearer(login)) await keeper.renewed(place, login)
    },
    async refusal(status, challenge, refused) {
      const said = bearerChallenge(challenge)
      const scopes = scopesIn(said?.get('scope'))
      if (status === 403 && shown !== null && said?.get('error') === 'insufficient_scope') {
        await keeper.lacks(place, scopes)
        const which = scopes.length === 0 ? '' : ` (scope ${scopes.join(' ')})`
        return `The server '${place.server}' wants more than its login allows${which}; a person has to log in again: ${cure}.`
      }
      const authorization = refused['authorization']
      if (status !== 401 || (shown === null && authorization !== undefined)) return null
      if (shown === null) return `The server '${place.server}' wants somebody to log in: ${cure}.`
      if (authorization === bearer(shown)) await keeper.refused(place, shown)
      return `The server '${place.server}' does not take its login; a person has to log in again: ${cure}.`
    },
    redacted(frame) {
      return told.redacted(base.redacted?.(frame) ?? frame)
    },
  }
}

function bearer({ access }: HeldLogin): string {
  return `Bearer ${access.reveal()}`
}
