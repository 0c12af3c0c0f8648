import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core'
import { withAuthenticator } from '../support/authenticator.ts'
import { startChromium } from '../support/chromium.ts'
import { type ServedPages, servePages } from '../support/pages.ts'
import { PASSWORD } from '../support/people.ts'
import { programMissing } from '../support/require.ts'
import { openTestVault, PERSON } from '../support/vault.ts'

const skip = programMissing('chromium', 'apt-get install chromium')

let browser: Browser
let vault: Awaited<ReturnType<typeof openTestVault>>
let served: ServedPages

before(async () => {
  if (skip !== false) return
  browser = await startChromium()
  vault = await openTestVault()
  served = await servePages(vault)
})
after(async () => {
  await browser?.close()
  await served?.stop()
  if (vault !== undefined) assert.deepEqual((await vault.audit.verify()).findings, [])
  await vault?.dispose()
})

interface Seat {
  readonly context: BrowserContext
  readonly page: Page
  readonly cdp: CDPSession
  readonly authenticatorId: string
  /** What the browser complained about. */
  readonly complaints: string[]
}

/** A browser of its own with an authenticator that always says yes. */
async function seat(): Promise<Seat> {
  const context = await browser.newContext()
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  const complaints: string[] = []
  page.on('console', (message) => complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(String(error)))
  const { cdp, authenticatorId } = await withAuthenticator(page)
  return { context, page, cdp, authenticatorId, complaints }
}

const heading = (page: Page, name: string): Promise<void> =>
  page.getByRole('heading', { name, exact: true }).waitFor()

test('people in Chromium: the first account with a password, a key, an invitation, and out', {
  skip,
}, async () => {
  const { people } = await vault.identity.people()
  const { token } = await people.setupLink(PERSON)
  const { context, page, complaints } = await seat()
  await page.goto(`${served.site}/setup/${token}`)
  await heading(page, 'Make the first account')
  await page.getByLabel('E-mail').fill('ada@example.org')
  await page.getByLabel('Name').fill('Ada <i>Lovelace</i>')
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Make the account' }).click()
  await heading(page, 'Your account')
  assert.equal(await page.locator('i').count(), 0)
  await page.locator('#key-name').fill('laptop')
  await page.getByRole('button', { name: 'Make a key' }).click()
  assert.match((await page.locator('code').textContent()) ?? '', /^1ck_[\w-]{49}$/)
  await page.getByRole('button', { name: 'Revoke' }).click()
  await page.locator('#invite-email').fill('bo@example.org')
  await page.getByLabel('Role').selectOption('admin')
  await page.getByRole('button', { name: 'Make a link' }).click()
  const invitation = (await page.locator('code').textContent()) ?? ''
  await page.getByRole('button', { name: 'Sign out here' }).click()
  await heading(page, 'Sign in')

  // The one who was invited takes a passkey instead of a password.
  const bo = await seat()
  await bo.page.goto(invitation)
  await heading(bo.page, 'Make your account')
  await bo.page.getByLabel('Name').fill('Bo')
  await bo.page.getByRole('button', { name: 'Use a passkey instead' }).click()
  await heading(bo.page, 'Your account')
  assert.match((await bo.page.textContent('main')) ?? '', /bo@example\.org/)
  await bo.page.goto(invitation)
  await heading(bo.page, 'No longer valid')
  assert.deepEqual([...complaints, ...bo.complaints.filter((one) => !one.includes('410'))], [])

  // In again with it, and shown once more to be there.
  await bo.page.goto(`${served.site}/account`)
  await bo.page.getByRole('button', { name: 'Sign out here' }).click()
  await heading(bo.page, 'Sign in')
  await bo.page.getByRole('button', { name: 'Use a passkey' }).click()
  await heading(bo.page, 'Your account')
  await bo.page.goto(`${served.site}/step-up?to=/account`)
  assert.equal(await bo.page.locator('#password').count(), 0)
  await bo.page.getByRole('button', { name: 'Use a passkey' }).click()
  await heading(bo.page, 'Your account')

  // A copy of the authenticator, whose counter is behind, is refused.
  const { credentials } = await bo.cdp.send('WebAuthn.getCredentials', {
    authenticatorId: bo.authenticatorId,
  })
  const [credential] = credentials
  assert.ok(credential !== undefined && credential.signCount >= 3)
  await bo.page.getByRole('button', { name: 'Sign out here' }).click()
  await bo.cdp.send('WebAuthn.clearCredentials', { authenticatorId: bo.authenticatorId })
  await bo.cdp.send('WebAuthn.addCredential', {
    authenticatorId: bo.authenticatorId,
    credential: { ...credential, signCount: 1 },
  })
  await bo.page.getByRole('button', { name: 'Use a passkey' }).click()
  const problem = bo.page.locator('#passkey-problem')
  await problem.waitFor()
  assert.equal(await problem.textContent(), 'The passkey was not recognised.')

  // Without the person verified, and with a passkey of nobody.
  await bo.cdp.send('WebAuthn.setUserVerified', {
    authenticatorId: bo.authenticatorId,
    isUserVerified: false,
  })
  await bo.page.reload()
  await bo.page.getByRole('button', { name: 'Use a passkey' }).click()
  await problem.waitFor()
  assert.equal(await problem.textContent(), 'No passkey was used.')
  await context.close()
  await bo.context.close()
})

test('people in Chromium: a passkey added to an account signs in, and is gone once removed', {
  skip,
}, async () => {
  const { people } = await vault.identity.people()
  const { token } = await people.invite(PERSON, { email: 'cy@example.org', role: 'member' })
  const { context, page } = await seat()
  await page.goto(`${served.site}/join/${token}`)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Make the account' }).click()
  await heading(page, 'Your account')
  await page.locator('#passkey-name').fill('Blue stick')
  await page.getByRole('button', { name: 'Add a passkey' }).click()
  await page.getByText('Blue stick').waitFor()
  await page.getByRole('button', { name: 'Sign out here' }).click()
  await page.getByRole('button', { name: 'Use a passkey' }).click()
  await heading(page, 'Your account')
  await page.getByRole('button', { name: 'Remove' }).click()
  await page.getByText('Blue stick').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Sign out here' }).click()
  await page.getByRole('button', { name: 'Use a passkey' }).click()
  const problem = page.locator('#passkey-problem')
  await problem.waitFor()
  assert.equal(await problem.textContent(), 'The passkey was not recognised.')
  await context.close()
})

test('people in Chromium: no page is wider than its window', { skip }, async () => {
  const { people } = await vault.identity.people()
  const { token } = await people.invite(PERSON, {
    email: `${'d'.repeat(60)}@example.org`,
    role: 'member',
  })
  const { context, page } = await seat()
  for (const [width, height] of [
    [390, 844],
    [1280, 800],
  ] as const) {
    await page.setViewportSize({ width, height })
    for (const path of [`/join/${token}`, '/sign-in', '/account', `/setup/${'x'.repeat(43)}`]) {
      await page.goto(`${served.site}${path}`)
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth')
      assert.ok(wide <= width, `${path} at ${width}: ${wide}`)
    }
  }
  await context.close()
})
