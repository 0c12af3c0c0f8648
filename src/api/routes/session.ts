import * as z from 'zod'
import { Fault } from '../../core/faults.ts'
import type { OpenedSession, SignedIn } from '../../core/people-port.ts'
import { STEP_UP_MS } from '../../core/principals.ts'
import { epochMs, toIso } from '../../core/time.ts'
import { AddressLimit, sessionCookie } from '../../pages/index.ts'
import type { BrowserSession } from '../browser-session.ts'
import { passkeyQuestionSchema, sessionSchema } from '../contract/people.ts'
import { type Answered, type Call, type Operation, operation } from '../operation.ts'
import { type PeopleDoors, profileFields } from './people.ts'

const ENDED = { description: 'Nobody is signed in in this browser.' }
const WRONG = { description: 'What was sent does not count, or nobody is signed in.' }
const FOREIGN = { description: 'Another site may have sent it, or it carries no session.' }
const THROTTLED = { description: 'Too many attempts; Retry-After says how long to wait.' }
const PROVED = {
  description: 'It counts for five minutes. The session goes on under a new cookie and token.',
  schema: sessionSchema,
}

/** Questions to authenticators, an address and minute: each costs a row. */
const QUESTIONS_PER_MINUTE = 30

/** The session of a browser in which somebody signed in on the pages: who it is, and that he is there now. */
export function sessionOperations(open: () => Promise<PeopleDoors>): readonly Operation[] {
  const questions = new AddressLimit(QUESTIONS_PER_MINUTE)
  const proved = async ({ cookie }: OpenedSession, before: BrowserSession): Promise<Answered> => {
    const { signIn } = await open()
    return {
      status: 200,
      body: sessionFields(await signIn.authenticate(cookie, before.browser)),
      headers: { 'Set-Cookie': sessionCookie(cookie, before.isSecure) },
    }
  }
  return [
    operation({
      id: 'getSession',
      method: 'GET',
      path: '/v1/auth/session',
      tag: 'auth',
      summary: 'Who is signed in in this browser, and the token that its other calls carry.',
      authenticates: 'session',
      handsOutToken: true,
      answers: {
        200: { description: 'The session.', schema: sessionSchema },
        401: ENDED,
        403: FOREIGN,
      },
      async handle(call) {
        const headers = { 'Cross-Origin-Resource-Policy': 'same-origin' }
        return { status: 200, body: sessionFields(sessionOf(call).signedIn), headers }
      },
    }),
    operation({
      id: 'endSession',
      method: 'DELETE',
      path: '/v1/auth/session',
      tag: 'auth',
      summary: 'Signs out of this browser.',
      authenticates: 'session',
      answers: { 204: { description: 'Signed out.' }, 401: ENDED, 403: FOREIGN },
      async handle(call) {
        const { cookie, isSecure } = sessionOf(call)
        await (await open()).signIn.signOut(cookie)
        return { status: 204, headers: { 'Set-Cookie': sessionCookie('', isSecure) } }
      },
    }),
    operation({
      id: 'stepUp',
      method: 'POST',
      path: '/v1/auth/step-up',
      tag: 'auth',
      summary: 'Proves with the password that the person is there.',
      authenticates: 'session',
      body: z.object({ password: z.string() }),
      answers: { 200: PROVED, 401: WRONG, 403: FOREIGN, 429: THROTTLED },
      async handle(call) {
        const session = sessionOf(call)
        const { signIn } = await open()
        const { password } = call.body
        return proved(await signIn.stepUp(session.cookie, password, session.browser), session)
      },
    }),
    operation({
      id: 'askStepUpPasskey',
      method: 'POST',
      path: '/v1/auth/step-up/passkey/options',
      tag: 'auth',
      summary: 'Asks the authenticator of the person, who then proves with a passkey to be there.',
      authenticates: 'session',
      answers: {
        200: { description: 'The question.', schema: passkeyQuestionSchema },
        401: ENDED,
        403: FOREIGN,
        429: THROTTLED,
      },
      async handle(call) {
        const { cookie, origin, browser } = sessionOf(call)
        if (!questions.take(call.address))
          throw new Fault('THROTTLED', 'That was asked too often from here; wait a minute.', {
            details: { retryAfterSeconds: 60 },
          })
        const { signIn } = await open()
        const asked = await signIn.passkeyQuestion({ kind: 'step-up', cookie }, { origin }, browser)
        return { status: 200, body: { handle: asked.handle, options: asked.options } }
      },
    }),
    operation({
      id: 'stepUpWithPasskey',
      method: 'POST',
      path: '/v1/auth/step-up/passkey',
      tag: 'auth',
      summary: 'Proves with a passkey that the person is there.',
      authenticates: 'session',
      body: z.object({
        handle: z.string().describe('Of the question.'),
        response: z
          .record(z.string(), z.unknown())
          .describe('PublicKeyCredential.toJSON() of the answer.'),
      }),
      answers: { 200: PROVED, 401: WRONG, 403: FOREIGN },
      async handle(call) {
        const session = sessionOf(call)
        const { signIn } = await open()
        const { handle, response } = call.body
        return proved(
          await signIn.stepUpWithPasskey(session.cookie, handle, response, session.browser),
          session,
        )
      },
    }),
  ]
}

/** @throws {Fault} `ACCESS_DENIED` to whoever came with a bearer */
function sessionOf({ session }: Pick<Call, 'session'>): BrowserSession {
  if (session !== null) return session
  throw new Fault('ACCESS_DENIED', 'No key and no token has a session.', {
    details: { remedy: 'sign in at /sign-in in a browser' },
  })
}

function sessionFields({ person, session, caller, formToken, isSteppedUp }: SignedIn) {
  const provedAt = caller.access?.steppedUpAt ?? null
  return {
    user: profileFields(person),
    session: {
      id: session.id,
      signed_in_with: session.via,
      created_at: toIso(session.createdAt),
      ends_at: toIso(session.endsAt),
    },
    stepped_up_until:
      isSteppedUp && provedAt !== null ? toIso(epochMs(provedAt + STEP_UP_MS)) : null,
    csrf_token: formToken,
  }
}
