import { asFault, Fault } from '../core/faults.ts'
import type { PasskeyQuestion, PasskeyResponse, SignInPort } from '../core/people-port.ts'
import { toldTo } from '../core/told.ts'
import { json, sessionCookies } from './reply.ts'
import { isOwnForm, pathOnward, readJson, type Visit } from './visit.ts'

type Sent = Readonly<Record<string, unknown>>

export interface PasskeyPages {
  question(visit: Visit): Promise<Response>
  answer(visit: Visit): Promise<Response>
}

/** What the script of the pages asks. */
export function createPasskeyPages(signIn: SignInPort): PasskeyPages {
  function asked(visit: Visit, sent: Sent): Promise<PasskeyQuestion> {
    const { browser, cookie, origin } = visit
    const site = { origin }
    switch (sent['passkey']) {
      case 'register':
        return signIn.passkeyQuestion({ kind: 'register', cookie }, site, browser)
      case 'step-up':
        return signIn.passkeyQuestion({ kind: 'step-up', cookie }, site, browser)
      case 'sign-in':
        return signIn.passkeyQuestion({ kind: 'sign-in' }, site, browser)
      case 'accept': {
        const email = text(sent, 'email')
        const who = {
          kind: 'accept',
          token: text(sent, 'token'),
          name: text(sent, 'name'),
          ...(email === '' ? {} : { email }),
        } as const
        return signIn.passkeyQuestion(who, site, browser)
      }
      default:
        throw new Fault('BAD_INPUT', 'passkey must say what for.')
    }
  }

  async function answered(visit: Visit, sent: Sent): Promise<Response> {
    const { browser, cookie } = visit
    const handle = text(sent, 'handle')
    const response = responseOf(sent)
    const next = pathOnward(text(sent, 'to'))
    switch (sent['passkey']) {
      case 'register': {
        await signIn.addPasskey(cookie, handle, response, text(sent, 'name'), browser)
        return json(200, { next: '/account' })
      }
      case 'step-up': {
        const opened = await signIn.stepUpWithPasskey(cookie, handle, response, browser)
        return json(200, { next }, sessionCookies(opened.cookie, visit))
      }
      case 'sign-in': {
        const opened = await signIn.withPasskey(handle, response, browser)
        if (cookie !== '') await signIn.signOut(cookie)
        return json(200, { next }, sessionCookies(opened.cookie, visit))
      }
      case 'accept': {
        const token = text(sent, 'token')
        const opened = await signIn.acceptLinkWithPasskey(token, handle, response, browser)
        return json(200, { next: '/account' }, sessionCookies(opened.cookie, visit))
      }
      default:
        throw new Fault('BAD_INPUT', 'passkey must say what for.')
    }
  }

  async function guarded(visit: Visit, work: (sent: Sent) => Promise<Response>): Promise<Response> {
    const sent = await readJson(visit.request)
    if (sent === null || !isOwnForm(visit, text(sent, 'csrf')))
      return json(403, { detail: 'Open the page again and use the form on it.' })
    try {
      return await work(sent)
    } catch (error) {
      const fault = asFault(error)
      if (fault.code === 'INTERNAL') throw error
      return json(fault.http, { detail: toldTo(fault, null).message })
    }
  }

  return {
    question: (visit) =>
      guarded(visit, async (sent) => {
        const { handle, options } = await asked(visit, sent)
        return json(200, { handle, options })
      }),
    answer: (visit) => guarded(visit, (sent) => answered(visit, sent)),
  }
}

function text(sent: Sent, name: string): string {
  const value = sent[name]
  return typeof value === 'string' ? value : ''
}

function responseOf(sent: Sent): PasskeyResponse {
  const { response } = sent
  if (typeof response !== 'object' || response === null || Array.isArray(response))
    throw new Fault('BAD_INPUT', 'response must be what the authenticator answered.')
  return response as PasskeyResponse
}
