import { html, raw } from 'hono/html'
import { asFault, type Fault, isFault } from '../core/faults.ts'
import type { LinkInfo, OidcSignInPort, SignInPort } from '../core/people-port.ts'
import { toldTo } from '../core/told.ts'
import { note, onward, reply, sessionCookies } from './reply.ts'
import {
  cookieOf,
  formOf,
  isOwnForm,
  pathOnward,
  readFields,
  sessionCookie,
  setCookie,
  type Visit,
} from './visit.ts'

const PROBLEM = html`<p class="problem" role="alert" id="passkey-problem" hidden></p>`

export interface SignInPages {
  link(visit: Visit, token: string): Promise<Response>
  signIn(visit: Visit): Promise<Response>
  stepUp(visit: Visit): Promise<Response>
  signOut(visit: Visit): Promise<Response>
  /** Off to the other issuer, and back. */
  elsewhere(visit: Visit): Promise<Response>
  back(visit: Visit): Promise<Response>
}

/** The pages on which people come in. */
export function createSignInPages(
  signIn: SignInPort,
  oidc: () => Promise<OidcSignInPort | null>,
): SignInPages {
  async function link(visit: Visit, token: string): Promise<Response> {
    try {
      const info = await signIn.link(token)
      if (visit.request.method !== 'POST') return await linkPage(visit, info, token, null)
      const fields = await ownFields(visit)
      if (fields === null) return await notThisForm()
      try {
        const opened = await signIn.acceptLink(token, choiceOf(fields), visit.browser)
        return onward('/account', sessionCookies(opened.cookie, visit))
      } catch (error) {
        if (!isFault(error) || error.code === 'NOT_FOUND') throw error
        return await linkPage(visit, info, token, error, fields)
      }
    } catch (error) {
      if (isFault(error, 'NOT_FOUND')) return note(410, 'No longer valid', error.message)
      throw error
    }
  }

  async function enter(visit: Visit): Promise<Response> {
    const to = pathOnward(visit.query.get('to'))
    if (visit.request.method !== 'POST')
      return visit.signedIn === null ? signInPage(visit, to, null) : onward(to)
    const fields = await ownFields(visit)
    if (fields === null) return notThisForm()
    const target = pathOnward(fields.get('to') ?? null)
    const email = fields.get('email') ?? ''
    try {
      const password = fields.get('password') ?? ''
      const opened = await signIn.withPassword(email, password, visit.browser)
      // Who comes in as somebody else leaves the session of before behind.
      if (visit.cookie !== '') await signIn.signOut(visit.cookie)
      return onward(target, sessionCookies(opened.cookie, visit))
    } catch (error) {
      return await signInPage(visit, target, asFault(error), email)
    }
  }

  async function signInPage(visit: Visit, to: string, fault: Fault | null, email = '') {
    if (!(await signIn.hasPeople()))
      return note(
        404,
        'Nobody has an account yet',
        'The first one is made with the set-up link of this server: run sallyport people setup where it runs.',
      )
    const other = await oidc()
    const form = formOf(visit)
    const elsewhere =
      other === null
        ? ''
        : html`<a class="button" href="/sign-in/elsewhere?to=${to}">Sign in with ${other.label}</a>`
    return reply({
      status: fault === null ? 200 : fault.http,
      fault,
      title: 'Sign in',
      cookies: [form.cookie],
      runs: true,
      body: html`<h1>Sign in</h1>
${problem(fault)}${PROBLEM}
<form method="post" action="/sign-in">
<input type="hidden" name="csrf" value="${form.token}">
<input type="hidden" name="to" value="${to}">
<div class="field"><label for="email">E-mail</label>
<input type="email" id="email" name="email" value="${email}" autocomplete="username" required${email === '' ? raw(' autofocus') : ''}></div>
<div class="field"><label for="password">Password</label>
<input type="password" id="password" name="password" autocomplete="current-password" required${email === '' ? '' : raw(' autofocus')}></div>
<div class="buttons"><button class="store">Sign in</button>
<button type="button" data-passkey="sign-in">Use a passkey</button>
${elsewhere}</div>
</form>`,
    })
  }

  async function stepUp(visit: Visit): Promise<Response> {
    const to = pathOnward(visit.query.get('to'))
    const { signedIn } = visit
    if (signedIn === null) return onward(`/sign-in?to=${encodeURIComponent(to)}`)
    if (visit.request.method !== 'POST') return stepUpPage(visit, to, null)
    const fields = await ownFields(visit)
    if (fields === null) return notThisForm()
    const target = pathOnward(fields.get('to') ?? null)
    try {
      const password = fields.get('password') ?? ''
      const opened = await signIn.stepUp(visit.cookie, password, visit.browser)
      return onward(target, sessionCookies(opened.cookie, visit))
    } catch (error) {
      return await stepUpPage(visit, target, asFault(error))
    }
  }

  async function stepUpPage(visit: Visit, to: string, fault: Fault | null): Promise<Response> {
    const { person } = visit.signedIn ?? {}
    const other = await oidc()
    const elsewhere =
      other === null
        ? ''
        : html`<a class="button" href="/sign-in/elsewhere?to=${to}">Sign in with ${other.label}</a>`
    const form = formOf(visit)
    const password =
      person?.hasPassword === true
        ? html`<input type="email" name="username" value="${person.email}" autocomplete="username" readonly hidden>
<label for="password">Password</label>
<input type="password" id="password" name="password" autocomplete="current-password" required autofocus>`
        : ''
    const confirm = person?.hasPassword === true ? html`<button class="store">Confirm</button>` : ''
    return reply({
      status: fault === null ? 200 : fault.http,
      fault,
      title: 'Is it you?',
      cookies: [form.cookie],
      runs: true,
      body: html`<h1>Is it you?</h1>
<p class="say">What comes next is only for ${person?.email ?? 'you'} in person. It counts for five minutes.</p>
${problem(fault)}${PROBLEM}
<form method="post" action="/step-up">
<input type="hidden" name="csrf" value="${form.token}">
<input type="hidden" name="to" value="${to}">
${password}
<div class="buttons">${confirm}
<button type="button" data-passkey="step-up">Use a passkey</button>
${elsewhere}</div>
</form>`,
    })
  }

  async function signOut(visit: Visit): Promise<Response> {
    if (visit.request.method !== 'POST') return onward('/account')
    if (visit.signedIn !== null) {
      if ((await ownFields(visit)) === null) return notThisForm()
      await signIn.signOut(visit.cookie)
    }
    return onward('/sign-in', [sessionCookie('', visit.isSecure)])
  }

  async function elsewhere(visit: Visit): Promise<Response> {
    const other = await oidc()
    if (other === null) return note(404, 'Not offered', 'This server knows no other sign-in.')
    const to = pathOnward(visit.query.get('to'))
    const { url, handle } = await other.begin(`${visit.origin}/sign-in/back`, to)
    return onward(url, [setCookie('elsewhere', handle, visit.isSecure, 600)])
  }

  async function back(visit: Visit): Promise<Response> {
    const other = await oidc()
    const handle = cookieOf(visit.request, 'elsewhere', visit.isSecure)
    const forget = setCookie('elsewhere', '', visit.isSecure, 0)
    if (other === null) return note(404, 'Not offered', 'This server knows no other sign-in.')
    try {
      const current = `${visit.origin}${visit.path}?${visit.query.toString()}`
      const opened = await other.finish(handle, current, visit.browser)
      if (visit.cookie !== '') await signIn.signOut(visit.cookie)
      const cookies = [...sessionCookies(opened.cookie, visit), forget]
      return onward(pathOnward(opened.returnTo), cookies)
    } catch (error) {
      const fault = asFault(error)
      if (fault.code === 'INTERNAL') throw error
      return note(fault.http, 'Not signed in', toldTo(fault, null).message, [forget])
    }
  }

  return { link, signIn: enter, stepUp, signOut, elsewhere, back }
}

const LINK_TITLES = {
  setup: 'Make the first account',
  invite: 'Make your account',
  reset: 'Choose a new password',
} as const

const LINK_TEXTS = {
  setup: 'Nobody has an account on this server yet. You will own it, and can invite others.',
  invite: 'You were invited to this server.',
  reset: 'Every browser in which you are signed in will be signed out.',
} as const

async function linkPage(
  visit: Visit,
  info: LinkInfo,
  token: string,
  fault: Fault | null,
  sent: ReadonlyMap<string, string> = new Map(),
): Promise<Response> {
  const form = formOf(visit)
  const email =
    info.email === null
      ? html`<div class="field"><label for="email">E-mail</label>
<input type="email" id="email" name="email" value="${sent.get('email') ?? ''}" autocomplete="username" required autofocus></div>`
      : html`<div class="field"><label for="email">E-mail</label>
<input type="email" id="email" value="${info.email}" autocomplete="username" readonly></div>`
  const name =
    info.kind === 'reset'
      ? ''
      : html`<div class="field"><label for="name">Name</label>
<input type="text" id="name" name="name" value="${sent.get('name') ?? ''}" autocomplete="name" maxlength="100"></div>`
  return reply({
    status: fault === null ? 200 : fault.http,
    title: LINK_TITLES[info.kind],
    cookies: [form.cookie],
    runs: true,
    body: html`<h1>${LINK_TITLES[info.kind]}</h1>
<p class="say">${LINK_TEXTS[info.kind]}</p>
${problem(fault)}${PROBLEM}
<form method="post">
<input type="hidden" name="csrf" value="${form.token}">
${email}
${name}
<div class="field"><label for="password">Password</label>
<input type="password" id="password" name="password" autocomplete="new-password" minlength="12" required>
<p class="note">At least 12 characters; a few words make a good one.</p></div>
<div class="buttons"><button class="store">${info.kind === 'reset' ? 'Set the password' : 'Make the account'}</button>
<button type="button" data-passkey="accept" data-token="${token}">Use a passkey instead</button></div>
</form>`,
  })
}

function choiceOf(fields: ReadonlyMap<string, string>) {
  const email = fields.get('email')
  return {
    name: fields.get('name') ?? null,
    password: fields.get('password') ?? '',
    ...(email === undefined ? {} : { email }),
  }
}

export function problem(fault: Fault | null) {
  return fault === null
    ? ''
    : html`<p class="problem" role="alert">${toldTo(fault, null).message}</p>`
}

/** The fields of a form of ours, or null. */
export async function ownFields(visit: Visit): Promise<ReadonlyMap<string, string> | null> {
  const fields = await readFields(visit.request)
  return fields !== null && isOwnForm(visit, fields.get('csrf') ?? '') ? fields : null
}

export function notThisForm(): Promise<Response> {
  return note(403, 'Not this form', 'Open the page again and use the form on it.')
}
