import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { silentLog } from '../../src/core/log.ts'
import type { From } from '../../src/pages/index.ts'
import { createPages } from '../../src/pages/index.ts'
import { FormBrowser, LOCAL, type ServedPages, servePages, titleOf } from '../support/pages.ts'
import { PASSWORD } from '../support/people.ts'
import { openTestVault, PERSON } from '../support/vault.ts'

let vault: Awaited<ReturnType<typeof openTestVault>>
let served: ServedPages

before(async () => {
  vault = await openTestVault()
  served = await servePages(vault)
})
after(async () => {
  await served?.stop()
  assert.deepEqual((await vault.audit.verify()).findings, [])
  await vault?.dispose()
})

const browser = () => new FormBrowser(served.pages, served.site)

async function signedInBrowser(): Promise<FormBrowser> {
  const one = browser()
  const response = await one.post('/sign-in', {
    email: 'ada@example.org',
    password: PASSWORD,
    to: '',
  })
  assert.equal(response.status, 303)
  return one
}

test('pages: the set-up link works once, in one browser, and says nothing afterwards', async () => {
  const nobody = await browser().get('/sign-in')
  assert.equal(await titleOf(nobody), 'Nobody has an account yet')
  const { people } = await vault.identity.people()
  const { token } = await people.setupLink(PERSON)
  const path = `/setup/${token}`
  const first = browser()
  const page = await first.get(path)
  assert.equal(page.status, 200)
  const csp = page.headers.get('content-security-policy') ?? ''
  assert.match(
    csp,
    /^default-src 'none'; style-src 'nonce-([^']+)'; script-src 'nonce-\1'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
  )
  assert.equal(page.headers.get('cache-control'), 'no-store')
  assert.equal(page.headers.get('x-frame-options'), 'DENY')
  const fields = { email: 'ada@example.org', name: '<b>Ada</b>', password: PASSWORD }
  const weak = await first.post(path, { ...fields, password: 'password1234' })
  assert.equal(weak.status, 400)
  const body = await weak.text()
  assert.match(body, /is one of those that are tried first/)
  assert.match(body, /value="&lt;b&gt;Ada&lt;\/b&gt;"/)
  assert.ok(!body.includes('password1234'))
  assert.equal((await first.post(path, { ...fields, csrf: 'guessed' })).status, 403)
  const token1 = await first.formToken(path)
  const made = await first.post(path, { ...fields, csrf: token1 })
  assert.equal(made.status, 303)
  assert.equal(made.headers.get('location'), '/account')
  for (const replay of [first, browser()]) {
    const again = await replay.post(path, { ...fields, csrf: token1 })
    assert.ok([403, 410].includes(again.status))
    assert.equal(await titleOf(await replay.get(path)), 'No longer valid')
  }
  assert.equal((await browser().get(`/setup/${'x'.repeat(43)}`)).status, 410)
})

const PAGES: readonly string[] = ['/account', '/approvals/1']

test('pages: nothing without a session; a session is a fresh cookie that scripts and other sites do not get', async () => {
  for (const path of PAGES) {
    const response = await browser().get(path)
    assert.equal(response.status, 303)
    assert.equal(response.headers.get('location'), `/sign-in?to=${encodeURIComponent(path)}`)
  }
  const one = browser()
  // Fixation: what an attacker planted before is not what counts afterwards.
  one.cookies.set('sallyport-session', 'A'.repeat(43))
  const response = await one.post('/sign-in', {
    email: 'ADA@example.org',
    password: PASSWORD,
    to: '//evil.example',
  })
  assert.equal(response.status, 303)
  assert.equal(response.headers.get('location'), '/account')
  const [line = ''] = response.headers.getSetCookie()
  assert.match(
    line,
    /^sallyport-session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=604800$/,
  )
  assert.notEqual(one.cookies.get('sallyport-session'), 'A'.repeat(43))
  const account = await one.get('/account')
  assert.equal(account.status, 200)
  const old = one.cookies.get('sallyport-session') ?? ''
  await one.post('/step-up', { password: PASSWORD, to: '/account' })
  assert.notEqual(one.cookies.get('sallyport-session'), old)
  const stale = browser()
  stale.cookies.set('sallyport-session', old)
  assert.equal((await stale.get('/account')).status, 303)
  const kept = one.cookies.get('sallyport-session') ?? ''
  assert.equal((await one.post('/sign-out', {}, {}, '/account')).status, 303)
  assert.equal(one.cookies.has('sallyport-session'), false)
  stale.cookies.set('sallyport-session', kept)
  assert.equal((await stale.get('/account')).status, 303)
})

const FORGED: readonly [
  what: string,
  headers: Readonly<Record<string, string | null>>,
  fields: Readonly<Record<string, string>>,
][] = [
  ['from another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, {}],
  ['from another port', { origin: 'http://localhost:1' }, {}],
  ['from a subdomain', { 'sec-fetch-site': 'same-site' }, {}],
  ['without an origin', { origin: null }, {}],
  ['from a frame without an origin', { origin: 'null' }, {}],
  ['without a token', {}, { csrf: '' }],
  ['with a guessed token', {}, { csrf: 'a'.repeat(43) }],
  ['as plain text', { 'content-type': 'text/plain' }, {}],
]
test('pages: forms that our own pages did not send change nothing', async () => {
  const victim = await signedInBrowser()
  const csrf = await victim.formToken('/account')
  for (const path of [
    '/account/keys',
    '/account/password',
    '/account/invite',
    '/sign-out',
    '/step-up',
  ])
    for (const [what, headers, fields] of FORGED) {
      const response = await victim.post(
        path,
        {
          name: 'x',
          email: 'eve@example.org',
          role: 'owner',
          days: '0',
          password: PASSWORD,
          csrf,
          ...fields,
        },
        headers,
      )
      assert.equal(response.status, 403, `${path} ${what}`)
    }
  // The token of another session, of a page before the sign-in, and of the form cookie that an attacker has.
  const other = await signedInBrowser()
  for (const token of [await other.formToken('/account'), await browser().formToken('/sign-in')]) {
    const response = await victim.post('/account/keys', { name: 'x', days: '0', csrf: token })
    assert.equal(response.status, 403)
  }
  // Login CSRF: without the cookie of the page its token is nothing.
  const attacker = browser()
  const token = await attacker.formToken('/sign-in')
  const foreign = await browser().post('/sign-in', {
    email: 'ada@example.org',
    password: PASSWORD,
    csrf: token,
  })
  assert.equal(foreign.status, 403)
  const page = await (await victim.get('/account')).text()
  assert.match(page, /Sign out here/)
  assert.ok(!page.includes('eve@example.org'))
})

test('pages: sign-in says the same of accounts there are and there are not', async () => {
  const bodies: string[] = []
  for (const email of ['ada@example.org', 'nobody@example.org']) {
    const response = await browser().post('/sign-in', {
      email,
      password: 'not the password',
      to: '',
    })
    assert.equal(response.status, 401)
    const body = await response.text()
    bodies.push(
      body
        .replaceAll(email, 'EMAIL')
        .replaceAll(/nonce="[^"]*"/g, '')
        .replaceAll(/name="csrf" value="[^"]*"/g, ''),
    )
  }
  assert.match(bodies[0] ?? '', /The e-mail or the password is wrong\./)
  assert.equal(bodies[0], bodies[1])
})

test('pages: keys are made in person, shown once and revoked', async () => {
  const one = await signedInBrowser()
  const made = await one.post(
    '/account/keys',
    { name: 'laptop', scopes: 'ci/** api/*', days: '30' },
    {},
    '/account',
  )
  const body = await made.text()
  const key = /<code>(1ck_[A-Za-z0-9_-]+)<\/code>/.exec(body)?.[1] ?? ''
  assert.equal(key.length, 53)
  const later = await (await one.get('/account')).text()
  assert.ok(!later.includes(key))
  assert.match(later, /laptop/)
  const id = /action="\/account\/keys\/revoke">.*?name="id" value="([^"]+)"/.exec(later)?.[1] ?? ''
  assert.equal((await one.post('/account/keys/revoke', { id }, {}, '/account')).status, 303)
  assert.ok(!(await (await one.get('/account')).text()).includes('laptop'))
})

const ELSEWHERE: readonly [what: string, host: string, from: From, status: number][] = [
  ['this machine by name', 'localhost:4747', LOCAL, 200],
  ['this machine by number', '127.0.0.1:4747', LOCAL, 200],
  ['a name that was made to point here', 'evil.example:4747', LOCAL, 403],
  ['localhost from another machine', 'localhost:4747', { ...LOCAL, peer: '192.0.2.1' }, 403],
  ['plain HTTP to the public name', 'vault.example.org', { ...LOCAL, peer: '192.0.2.1' }, 403],
  ['plain HTTP to the public name from here', 'vault.example.org', LOCAL, 403],
  [
    'TLS to the public name',
    'vault.example.org',
    { ...LOCAL, peer: '192.0.2.1', isSecure: true },
    200,
  ],
  [
    'TLS to another name',
    'other.example.org',
    { ...LOCAL, peer: '192.0.2.1', isSecure: true },
    403,
  ],
]
test('pages: no cookie and no password goes over plain HTTP beyond this machine, or to another name', async () => {
  const { people, signIn } = await vault.identity.people()
  const pages = createPages({
    site: 'https://vault.example.org',
    people,
    signIn,
    oidc: async () => null,
    approvals: async () => null,
    logins: async () => null,
    nameOf: async () => null,
    log: silentLog,
  })
  for (const [what, host, from, status] of ELSEWHERE) {
    const scheme = from.isSecure ? 'https' : 'http'
    const one = new FormBrowser(pages, `${scheme}://${host}`, from)
    const page = await one.get('/sign-in')
    assert.equal(page.status, status, what)
    if (status !== 200) assert.equal(page.headers.get('set-cookie'), null, what)
    const sent = await one.post('/sign-in', {
      email: 'ada@example.org',
      password: PASSWORD,
      to: '',
    })
    assert.equal(sent.status, status === 200 ? 303 : 403, what)
    if (!from.isSecure || status !== 200) continue
    for (const line of sent.headers.getSetCookie())
      assert.match(
        line,
        /^__Host-sallyport-\w+=.*; Path=\/; HttpOnly; SameSite=Lax; .*; Secure$/,
        what,
      )
  }
})

test('pages: opened by a person in a window, not by a script, a frame or a prefetch', async () => {
  for (const headers of [
    { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
    { 'sec-fetch-dest': 'iframe' },
    { 'sec-purpose': 'prefetch' },
  ])
    assert.equal((await browser().get('/sign-in', headers)).status, 403)
  assert.equal((await browser().get('/passkeys/question')).status, 403)
  const out = await browser().get('/sign-in?to=https://evil.example')
  assert.match(await out.text(), /name="to" value="\/account"/)
})

test('pages: whoever guesses too often is told how long to wait, on the page and in its headers', async () => {
  let last: Response | null = null
  for (let n = 0; n < 6; n += 1)
    last = await browser().post('/sign-in', {
      email: 'bo@example.org',
      password: `guess ${n}`,
      to: '',
    })
  assert.equal(last?.status, 429)
  const seconds = Number(last.headers.get('retry-after'))
  assert.ok(seconds > 0 && seconds <= 30, String(seconds))
  assert.match(await last.text(), /Too many failed attempts; try again in \d+ s\./)
})

test('pages: an address asks authenticators thirty times a minute, and others go on', async () => {
  const from = (address: string) =>
    new FormBrowser(served.pages, served.site, { ...LOCAL, address })
  const ask = async (browser: FormBrowser): Promise<number> =>
    (await browser.json('/passkeys/question', { passkey: 'sign-in' })).status
  const eager = from('192.0.2.77')
  const statuses = new Map<number, number>()
  for (let n = 0; n < 34; n += 1) {
    const status = await ask(eager)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  assert.ok((statuses.get(200) ?? 0) <= 31 && (statuses.get(429) ?? 0) >= 3, String([...statuses]))
  assert.equal(await ask(from('192.0.2.78')), 200)
})

test('pages: what is not ours to ask or not well-formed is refused, and says nothing of accounts', async () => {
  const one = new FormBrowser(served.pages, served.site, { ...LOCAL, address: '192.0.2.79' })
  const question = async (body: Readonly<Record<string, string>>, headers = {}) =>
    one.json('/passkeys/question', body, headers)
  const cases: readonly [body: Readonly<Record<string, string>>, status: number][] = [
    [{ passkey: 'sign-in', csrf: 'x' }, 403],
    [{ passkey: 'register' }, 401],
    [{ passkey: 'step-up' }, 401],
    [{ passkey: 'accept', token: 'x'.repeat(43) }, 404],
    [{ passkey: 'everything' }, 400],
  ]
  for (const [body, status] of cases)
    assert.equal((await question(body)).status, status, JSON.stringify(body))
  assert.equal(
    (await question({ passkey: 'sign-in' }, { origin: 'https://evil.example' })).status,
    403,
  )
  assert.equal(
    (await question({ passkey: 'sign-in' }, { 'content-type': 'text/plain' })).status,
    403,
  )
  const asked = (await (await question({ passkey: 'sign-in' })).json()) as {
    options: { allowCredentials?: readonly unknown[] }
    handle: string
  }
  assert.deepEqual(asked.options.allowCredentials ?? [], [], 'names no keys of anybody')
  const made = { id: 'x', rawId: 'x', type: 'public-key', response: {}, clientExtensionResults: {} }
  for (const handle of [asked.handle, asked.handle, 'x'.repeat(43)]) {
    const answer = await one.json('/passkeys/answer', {
      passkey: 'sign-in',
      handle,
      response: made,
    })
    assert.equal(answer.status, 401)
    assert.equal(answer.headers.getSetCookie().length, 0)
  }
})
