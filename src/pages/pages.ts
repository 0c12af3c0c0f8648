import { mayBeSubmitted, mayBeViewed } from '../ask/index.ts'
import type { ApprovalPort } from '../core/approval-port.ts'
import { asFault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import type { OidcSignInPort, PeoplePort, SignInPort } from '../core/people-port.ts'
import { toldTo } from '../core/told.ts'
import type { LoginPort } from '../core/upstream-login-port.ts'
import { createAccountPages } from './account.ts'
import { AddressLimit } from './address-limit.ts'
import { createApprovalPage } from './approvals.ts'
import { createPasskeyPages } from './passkeys.ts'
import { json, note, onward } from './reply.ts'
import { serverLoginPage } from './server-login.ts'
import { sharePage } from './share.ts'
import { createSignInPages } from './sign-in.ts'
import { cookieOf, type From, originOf, type Visit } from './visit.ts'

export interface PagesOptions {
  /** Where browsers find the server: `https://vault.example.org`, or `http://localhost:4747` on one machine. */
  readonly site: string
  readonly people: PeoplePort
  readonly signIn: SignInPort
  readonly oidc: () => Promise<OidcSignInPort | null>
  readonly approvals: () => Promise<ApprovalPort | null>
  readonly logins: () => Promise<LoginPort | null>
  /** What a principal is called, or null. */
  readonly nameOf: (principal: string) => Promise<string | null>
  readonly log: Log
}

export interface Pages {
  /** Answers requests for its pages; null for every other path. */
  fetch(request: Request, from: From): Promise<Response | null>
  /** For other pages of the server: on which origin of ours a browser is, and whose it is; null on none of them. */
  visitor(
    request: Request,
    from: From,
  ): Promise<{ readonly origin: string; readonly userId: string | null } | null>
}

const FIRST_SEGMENTS = new Set([
  '',
  ...'setup join reset sign-in sign-out step-up account approvals passkeys share servers'.split(
    ' ',
  ),
])
const MAX_AGENT = 300
/** Questions to authenticators and ways to another provider, an address and minute. */
const QUESTIONS_PER_MINUTE = 30

export function createPages(options: PagesOptions): Pages {
  const { signIn, people, log } = options
  const site = new URL(options.site).origin
  const entering = createSignInPages(signIn, options.oidc)
  const account = createAccountPages(people)
  const passkeys = createPasskeyPages(signIn)
  const questions = new AddressLimit(QUESTIONS_PER_MINUTE)

  async function visitOf(request: Request, origin: string, from: From): Promise<Visit> {
    const url = new URL(request.url)
    const browser = {
      address: from.address,
      agent: request.headers.get('user-agent')?.slice(0, MAX_AGENT) ?? null,
    }
    const cookie = cookieOf(request, 'session', from.isSecure)
    return {
      request,
      origin,
      path: url.pathname,
      query: url.searchParams,
      browser,
      isSecure: from.isSecure,
      cookie,
      signedIn: cookie === '' ? null : await signIn.signedIn(cookie, browser),
    }
  }

  async function route(visit: Visit): Promise<Response> {
    const { path, signedIn } = visit
    const [, first = '', second = '', ...rest] = path.split('/')
    const depth = path.split('/').length - 1
    if (depth === 2 && (first === 'setup' || first === 'join' || first === 'reset'))
      return entering.link(visit, second)
    if (first === 'share')
      return depth === 2 && visit.request.method === 'GET' ? sharePage() : nothingHere()
    switch (path) {
      case '/':
        return onward('/account')
      case '/sign-in':
        return entering.signIn(visit)
      case '/sign-in/elsewhere':
        return questions.take(visit.browser.address) ? entering.elsewhere(visit) : tooOften()
      case '/sign-in/back':
        return entering.back(visit)
      case '/servers/back': {
        const logins = visit.request.method === 'GET' ? await options.logins() : null
        return logins === null ? nothingHere() : serverLoginPage(visit, logins)
      }
      case '/sign-out':
        return entering.signOut(visit)
      case '/step-up':
        return entering.stepUp(visit)
      case '/passkeys/question':
        return questions.take(visit.browser.address)
          ? passkeys.question(visit)
          : json(429, { detail: TOO_OFTEN })
      case '/passkeys/answer':
        return passkeys.answer(visit)
      default:
    }
    if (first !== 'account' && first !== 'approvals') return nothingHere()
    if (signedIn === null) return onward(`/sign-in?to=${encodeURIComponent(path)}`)
    if (first === 'account') {
      if (visit.request.method !== 'POST')
        return depth === 1 ? account.show(visit, signedIn) : onward('/account')
      return account.act(visit, signedIn, [second, ...rest].join('/'))
    }
    const approvals = await options.approvals()
    if (approvals === null || depth !== 2) return nothingHere()
    return createApprovalPage(approvals, options.nameOf)(visit, signedIn, second)
  }

  return {
    async fetch(request, from) {
      const { pathname } = new URL(request.url)
      if (!FIRST_SEGMENTS.has(pathname.split('/')[1] ?? '')) return null
      const origin = originOf(request, site, from)
      if (origin === null)
        return note(403, 'Not from here', `Open this page at ${site}: it goes over https only.`)
      const { method } = request
      if (method !== 'GET' && method !== 'POST') return note(405, 'Not possible', 'Open the page.')
      const isScript = pathname.startsWith('/passkeys/')
      if (method === 'GET' ? isScript || !mayBeViewed(request) : !mayBeSubmitted(request, origin))
        return note(403, 'Not this way', 'Open the address of this page in a browser window.')
      try {
        return await route(await visitOf(request, origin, from))
      } catch (error) {
        const fault = asFault(error)
        if (fault.http >= 500) log.error('page failed', { code: fault.code, reason: fault.message })
        return note(fault.http, 'That did not work', toldTo(fault, null).message)
      }
    },
    async visitor(request, from) {
      const origin = originOf(request, site, from)
      if (origin === null) return null
      const { signedIn } = await visitOf(request, origin, from)
      return { origin, userId: signedIn?.person.id ?? null }
    },
  }
}

function nothingHere(): Promise<Response> {
  return note(404, 'No such page', 'There is nothing at this address.')
}

const TOO_OFTEN = 'That was asked too often from here; wait a minute.'

function tooOften(): Promise<Response> {
  return note(429, 'Wait a minute', TOO_OFTEN)
}
