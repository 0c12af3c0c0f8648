import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Caller } from '../../src/core/principals.ts'
import { epochMs, systemClock } from '../../src/core/time.ts'
import { ORIGIN } from '../support/identity.ts'
import { FormBrowser, type ServedPages, servePages, titleOf } from '../support/pages.ts'
import { callerOf, firstOwner, invited, PASSWORD } from '../support/people.ts'
import { openTestVault } from '../support/vault.ts'

let ahead = 0
let vault: Awaited<ReturnType<typeof openTestVault>>
let served: ServedPages
let agent: Caller

before(async () => {
  vault = await openTestVault({ clock: () => epochMs(systemClock() + ahead) })
  served = await servePages(vault)
  const owner = await callerOf(vault, await firstOwner(vault))
  await invited(vault, 'member')
  const { key } = await vault.identity.agents.create(owner, { name: 'ci' })
  agent = await vault.identity.authentication.authenticate(key.reveal(), ORIGIN)
})
after(async () => {
  await served?.stop()
  assert.deepEqual((await vault.audit.verify()).findings, [])
  await vault?.dispose()
})

async function signedIn(email: string): Promise<FormBrowser> {
  const browser = new FormBrowser(served.pages, served.site)
  await browser.post('/sign-in', { email, password: PASSWORD, to: '' })
  return browser
}

let acts = 0
function request() {
  acts += 1
  return vault.approvals.approvals.request(agent, {
    action: 'share.create',
    target: { type: 'secret', id: `api-keys/<i>${acts}</i>` },
    argumentsDigest: String(acts).padStart(64, '0'),
    policyRevision: '1',
    preview: { title: 'Share a secret', fields: [{ label: 'Path', value: 'api-keys/stripe' }] },
    reason: 'Approved already by <b>Sallyport</b>',
  })
}

const statusOf = async (id: string) => (await vault.approvals.approvals.status(agent, id)).status

test('approval page: says what it is in our words, what the agent wrote as the agent’s, and takes one answer', async () => {
  const { id, argumentsDigest: digest } = await request()
  const path = `/approvals/${id}`
  const owner = await signedIn('ada@example.org')
  const page = await (await owner.get(path)).text()
  assert.match(page, /ci \(agent:/)
  const agentsPart = page.slice(page.indexOf('<section class="agent">'))
  assert.ok(agentsPart.includes('Approved already by &lt;b&gt;Sallyport&lt;/b&gt;'))
  assert.ok(!page.slice(0, page.indexOf('<section class="agent">')).includes('Approved already'))
  assert.ok(!page.includes('<i>'))
  for (const fields of [
    { decision: 'approve', digest: 'f'.repeat(64) },
    { decision: 'approve', digest: '' },
  ]) {
    const other = await owner.post(path, fields)
    assert.equal(other.status, 409, fields.digest)
  }
  assert.equal((await owner.post(path, { decision: 'maybe', digest })).status, 403)
  assert.equal((await owner.post(path, { decision: 'approve', digest, csrf: 'x' })).status, 403)
  const forged = await owner.post(
    path,
    { decision: 'approve', digest },
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
  )
  assert.equal(forged.status, 403)
  assert.equal((await owner.get(`${path}?decision=approve&digest=${digest}`)).status, 200)
  assert.equal(await statusOf(id), 'pending')
  const token = await owner.formToken(path)
  const yes = await owner.post(path, { decision: 'approve', digest, reason: 'fine', csrf: token })
  assert.equal(await titleOf(yes), 'Approved')
  assert.equal(await statusOf(id), 'approved')
  const late = await owner.post(path, { decision: 'deny', digest, csrf: token })
  assert.equal(late.status, 409)
  assert.equal(await statusOf(id), 'approved')
})

test('approval page: nobody answers who is a stranger, signed out, or was there too long ago', async () => {
  const { id, argumentsDigest: digest } = await request()
  const path = `/approvals/${id}`
  const member = await signedIn('member@example.org')
  assert.equal(await titleOf(await member.get(path)), 'Nothing to decide')
  const csrf = await member.formToken('/account')
  assert.equal((await member.post(path, { decision: 'approve', digest, csrf })).status, 404)
  const nobody = new FormBrowser(served.pages, served.site)
  assert.equal((await nobody.get(path)).status, 303)
  assert.equal((await nobody.post(path, { decision: 'approve', digest, csrf })).status, 303)
  const owner = await signedIn('ada@example.org')
  const token = await owner.formToken(path)
  ahead += 301_000
  const tired = await owner.post(path, { decision: 'approve', digest, csrf: token })
  assert.equal(tired.headers.get('location'), `/step-up?to=${path}`)
  assert.equal(await statusOf(id), 'pending')
  assert.ok(!(await (await owner.get(path)).text()).includes('value="approve"'))
  const wrong = await owner.post('/step-up', { password: 'not the password', to: path })
  assert.equal(wrong.status, 401)
  const proved = await owner.post('/step-up', { password: PASSWORD, to: path })
  assert.equal(proved.headers.get('location'), path)
  const no = await owner.post(path, { decision: 'deny', digest })
  assert.equal(await titleOf(no), 'Denied')
  assert.equal(await statusOf(id), 'denied')
})

test('approval page: a scope around the act is said yes to together with it, within its limits', async () => {
  const { approvals } = vault.approvals
  let asked = 0
  const share = (path: string) => ({
    action: 'share.create',
    target: { type: 'secret', id: path },
    argumentsDigest: String((asked += 1)).padStart(64, 'a'),
    policyRevision: '1',
    within: { place: 'the-vault', permission: 'share', path },
    preview: { title: `Share ${path}` },
  })
  const owner = await signedIn('ada@example.org')
  const plain = await request()
  assert.ok(!(await (await owner.get(`/approvals/${plain.id}`)).text()).includes('name="widen"'))
  const { id, argumentsDigest: digest } = await approvals.request(agent, share('api-keys/one'))
  const path = `/approvals/${id}`
  const page = await (await owner.get(path)).text()
  assert.match(page, /name="pattern" value="api-keys\/one"/)
  const fields = { decision: 'approve', digest, widen: 'yes', pattern: 'api-keys/*' }
  const bad: readonly Readonly<Record<string, string>>[] = [
    { minutes: '', uses: '' },
    { minutes: 'soon', uses: '' },
    { minutes: '15', uses: '-1' },
    { minutes: '1000000', uses: '' },
    { minutes: '999999', uses: '' },
    { minutes: '15', pattern: 'other/*' },
    { minutes: '15', pattern: '' },
    { minutes: '15', pattern: 'api-keys/[' },
  ]
  for (const change of bad) {
    const { status } = await owner.post(path, { ...fields, ...change })
    assert.equal(status, 400, JSON.stringify(change))
  }
  assert.equal(await statusOf(id), 'pending')
  const yes = await owner.post(path, { ...fields, minutes: '15', uses: '2' })
  const said = await yes.text()
  assert.match(said, /<h1>Approved<\/h1>/)
  assert.match(said, /<dt>Also allowed<\/dt><dd>share api-keys\/\* for 15 minutes, 2 times at most/)
  for (const one of ['api-keys/one', 'api-keys/two'])
    assert.equal((await approvals.consume(agent, share(one))).outcome, 'granted')
  assert.equal((await approvals.consume(agent, share('api-keys/three'))).outcome, 'none')

  // What several people must approve is not widened by one of them, whatever the form says.
  const both = await approvals.request(agent, { ...share('api-keys/five'), needed: 2 })
  const at = `/approvals/${both.id}`
  assert.ok(!(await (await owner.get(at)).text()).includes('name="widen"'))
  const sent = { ...fields, digest: both.argumentsDigest, minutes: '15' }
  assert.equal((await owner.post(at, sent)).status, 400)
  const first = await owner.post(at, { decision: 'approve', digest: both.argumentsDigest })
  const told = await first.text()
  assert.match(told, /You have said yes\. Another person has to decide\./)
  assert.ok(!told.includes('value="approve"'))
  assert.equal(await statusOf(both.id), 'pending')
})
