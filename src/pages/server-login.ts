import { asFault } from '../core/faults.ts'
import { toldTo } from '../core/told.ts'
import type { LoginPort } from '../core/upstream-login-port.ts'
import { note } from './reply.ts'
import type { Visit } from './visit.ts'

/**
 * Where a browser comes back to in which somebody logged this server in at another one. It counts for the session
 * that began it, so nobody can have a stranger's browser log in for him.
 */
export async function serverLoginPage(visit: Visit, logins: LoginPort): Promise<Response> {
  const { signedIn, origin, path, query } = visit
  if (signedIn === null)
    return note(403, 'Not logged in', 'Nobody is signed in to this server in this browser.')
  try {
    const answer = `${origin}${path}?${query.toString()}`
    const { server, issuer } = await logins.finish(signedIn.caller, answer)
    const said = `${server} is used with the login at ${issuer} from now on.`
    return await note(200, 'Logged in', said)
  } catch (error) {
    const fault = asFault(error)
    if (fault.code === 'INTERNAL') throw error
    return note(fault.http, 'Not logged in', toldTo(fault, null).message)
  }
}
