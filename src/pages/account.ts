import { html } from 'hono/html'
import { asFault, Fault, isFault } from '../core/faults.ts'
import type { PeoplePort, SignedIn } from '../core/people-port.ts'
import { type EpochMs, epochMs, toIso } from '../core/time.ts'
import { note, onward, reply } from './reply.ts'
import { notThisForm, ownFields, problem } from './sign-in.ts'
import { formOf, type Visit } from './visit.ts'

const DAY_MS = 86_400_000
const VIA = {
  password: 'password',
  passkey: 'passkey',
  oidc: 'sign-in elsewhere',
  link: 'one-time link',
  token: 'token',
} as const

/** What was just made and is shown this once. */
interface Shown {
  readonly fault?: Fault
  readonly key?: string
  readonly invitation?: { readonly email: string; readonly url: string }
}

/** The page of somebody's own account, and what its forms do. */
export function createAccountPages(people: PeoplePort) {
  async function act(visit: Visit, signedIn: SignedIn, what: string): Promise<Response> {
    const fields = await ownFields(visit)
    if (fields === null) return notThisForm()
    const { caller } = signedIn
    const id = fields.get('id') ?? ''
    try {
      switch (what) {
        case 'keys':
          return await createKey(visit, signedIn, fields)
        case 'keys/revoke':
          await people.revokeKey(caller, id)
          break
        case 'sessions/end':
          await people.endSession(caller, id)
          break
        case 'passkeys/remove':
          await people.removePasskey(caller, id)
          break
        case 'password':
          await people.changePassword(
            caller,
            fields.get('current') ?? null,
            fields.get('password') ?? '',
          )
          break
        case 'invite':
          return await invite(visit, signedIn, fields)
        default:
          return await note(404, 'No such page', 'There is nothing at this address.')
      }
      return onward('/account')
    } catch (error) {
      if (isFault(error, 'STEP_UP_REQUIRED')) return onward('/step-up?to=/account')
      const fault = asFault(error)
      if (fault.code === 'INTERNAL') throw error
      return await show(visit, signedIn, { fault })
    }
  }

  async function createKey(
    visit: Visit,
    signedIn: SignedIn,
    fields: ReadonlyMap<string, string>,
  ): Promise<Response> {
    const days = Number(fields.get('days') ?? '')
    if (!Number.isInteger(days) || days < 0 || days > 3650)
      throw new Fault('BAD_INPUT', 'Days must be a whole number, at most 3650; 0 is for ever.')
    const scopes = (fields.get('scopes') ?? '').split(/[\s,]+/).filter((one) => one !== '')
    const { key } = await people.createKey(signedIn.caller, {
      name: fields.get('name') ?? '',
      scopes,
      expiresAt: days === 0 ? null : epochMs(signedIn.session.seenAt + days * DAY_MS),
    })
    try {
      return await show(visit, signedIn, { key: key.reveal() })
    } finally {
      key.wipe()
    }
  }

  async function invite(
    visit: Visit,
    signedIn: SignedIn,
    fields: ReadonlyMap<string, string>,
  ): Promise<Response> {
    const email = fields.get('email') ?? ''
    const role = fields.get('role')
    if (role !== 'owner' && role !== 'admin' && role !== 'member' && role !== 'auditor')
      throw new Fault('BAD_INPUT', 'Choose a role.')
    const { token } = await people.invite(signedIn.caller, { email, role })
    return show(visit, signedIn, { invitation: { email, url: `${visit.origin}/join/${token}` } })
  }

  async function show(visit: Visit, signedIn: SignedIn, shown: Shown = {}): Promise<Response> {
    const { caller, person, session, isSteppedUp } = signedIn
    const [keys, passkeys, sessions] = await Promise.all([
      people.keys(caller),
      people.passkeys(caller),
      people.sessions(caller),
    ])
    const { token } = formOf(visit)
    const csrf = html`<input type="hidden" name="csrf" value="${token}">`
    const small = (action: string, id: string, label: string) =>
      html`<form method="post" action="/account/${action}">${csrf}<input type="hidden" name="id" value="${id}"><button class="small">${label}</button></form>`
    const administers = person.role === 'owner' || person.role === 'admin'
    const locked = isSteppedUp
      ? ''
      : html`<p class="say">To add or change anything here, <a href="/step-up?to=/account">show that it is you</a>.</p>`
    const roles = ['member', 'auditor', 'admin', ...(person.role === 'owner' ? ['owner'] : [])]
    return reply({
      status: shown.fault?.http ?? 200,
      title: 'Your account',
      runs: true,
      body: html`<h1>Your account</h1>
<dl><dt>E-mail</dt><dd>${person.email}</dd>
${person.name === null ? '' : html`<dt>Name</dt><dd>${person.name}</dd>`}
<dt>Role</dt><dd>${person.role}</dd></dl>
${problem(shown.fault ?? null)}<p class="problem" role="alert" id="passkey-problem" hidden></p>
${shown.key === undefined ? '' : html`<div class="good" role="status">The new key, shown this once:<code>${shown.key}</code></div>`}
${shown.invitation === undefined ? '' : html`<div class="good" role="status">Send this link to ${shown.invitation.email}. It works once, for three days:<code>${shown.invitation.url}</code></div>`}
${locked}
<section><h2>Keys</h2>
<p class="say">For programs that act as you. A key never approves anything.</p>
<ul class="rows">${keys.map((key) => html`<li><div>${key.name} <small>${key.prefix}… · ${until(key.expiresAt)}${key.scopes === null ? '' : ` · ${key.scopes.join(' ')}`}</small></div>${small('keys/revoke', key.id, 'Revoke')}</li>`)}</ul>
${
  isSteppedUp
    ? html`<form method="post" action="/account/keys">${csrf}
<div class="field"><label for="key-name">Name</label><input type="text" id="key-name" name="name" maxlength="100" required></div>
<details><summary>Narrow it</summary>
<div class="field"><label for="scopes">Paths, such as ci/** (none: all that are yours)</label><input type="text" class="code" id="scopes" name="scopes"></div>
<div class="field"><label for="days">Days that it lives (0: for ever)</label><input type="text" inputmode="numeric" id="days" name="days" value="90"></div></details>
<div class="buttons"><button class="store">Make a key</button></div></form>`
    : ''
}</section>
<section><h2>Passkeys</h2>
<ul class="rows">${passkeys.map((key) => html`<li><div>${key.label} <small>${day(key.createdAt)}${key.usedAt === null ? '' : ` · last used ${day(key.usedAt)}`}</small></div>${small('passkeys/remove', key.id, 'Remove')}</li>`)}</ul>
${
  isSteppedUp
    ? html`<form method="post">${csrf}<div class="field"><label for="passkey-name">Name</label><input type="text" id="passkey-name" name="name" value="Passkey" maxlength="100" required></div>
<div class="buttons"><button type="button" data-passkey="register">Add a passkey</button></div></form>`
    : ''
}</section>
${
  isSteppedUp
    ? html`<section><h2>${person.hasPassword ? 'Change the password' : 'Set a password'}</h2>
<form method="post" action="/account/password">${csrf}<input type="email" name="username" value="${person.email}" autocomplete="username" readonly hidden>
${person.hasPassword ? html`<div class="field"><label for="current">Password now</label><input type="password" id="current" name="current" autocomplete="current-password" required></div>` : ''}
<div class="field"><label for="password">New password, at least 12 characters</label><input type="password" id="password" name="password" autocomplete="new-password" minlength="12" required></div>
<div class="buttons"><button>Set the password</button></div></form></section>`
    : ''
}
${
  administers && isSteppedUp
    ? html`<section><h2>Invite somebody</h2>
<form method="post" action="/account/invite">${csrf}
<div class="field"><label for="invite-email">E-mail</label><input type="email" id="invite-email" name="email" required></div>
<div class="field"><label for="role">Role</label><select id="role" name="role">${roles.map((role) => html`<option>${role}</option>`)}</select></div>
<div class="buttons"><button>Make a link</button></div></form></section>`
    : ''
}
<section><h2>Signed in</h2>
<ul class="rows">${sessions.map((one) => html`<li><div>${browserName(one.agent)} <small>${VIA[one.via]} · ${one.address ?? 'unknown address'} · last seen ${minute(one.seenAt)}${one.id === session.id ? ' · this one' : ''}</small></div>${one.id === session.id ? '' : small('sessions/end', one.id, 'Sign out')}</li>`)}</ul>
<form method="post" action="/sign-out">${csrf}<div class="buttons"><button>Sign out here</button></div></form></section>`,
    })
  }

  return { act, show }
}

function until(at: EpochMs | null): string {
  return at === null ? 'for ever' : `until ${day(at)}`
}

function day(at: EpochMs): string {
  return toIso(at).slice(0, 10)
}

function minute(at: EpochMs): string {
  return `${toIso(at).slice(0, 16).replace('T', ' ')} UTC`
}

const BROWSERS = ['Firefox', 'Edg', 'OPR', 'Chrome', 'Safari'] as const
const SYSTEMS = ['Android', 'iPhone', 'iPad', 'Windows', 'Macintosh', 'Linux'] as const
const SHOWN: Readonly<Record<string, string>> = { Edg: 'Edge', OPR: 'Opera', Macintosh: 'Mac' }

/** What a browser calls itself, in two words where it is one of those that are known. */
function browserName(agent: string | null): string {
  if (agent === null) return 'A browser'
  const name = BROWSERS.find((one) => agent.includes(`${one}/`))
  const system = SYSTEMS.find((one) => agent.includes(one))
  if (name === undefined || system === undefined) return agent.slice(0, 60)
  return `${SHOWN[name] ?? name} on ${SHOWN[system] ?? system}`
}
