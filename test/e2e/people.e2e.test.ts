import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { withAuthenticator } from '../support/authenticator.ts'
import { startChromium } from '../support/chromium.ts'
import { programMissing } from '../support/require.ts'
import { homeEnvironment, LAUNCHER, startServing, temporaryHome } from '../support/serving.ts'

const skip = programMissing('chromium', 'apt-get install chromium')

test('people: the first run of up leads to the first account, later runs and agents do not', {
  skip,
}, async () => {
  const { home, remove } = await temporaryHome()
  const browser = await startChromium()
  let serving = await startServing(home)
  try {
    const { setup } = serving
    assert.match(setup ?? '', /^http:\/\/localhost:\d+\/setup\/[A-Za-z0-9_-]{43}$/)
    const page = await browser.newPage()
    page.setDefaultTimeout(10_000)
    await page.goto(setup ?? '')
    await page.getByLabel('E-mail').fill('ada@example.org')
    await withAuthenticator(page)
    await page.getByRole('button', { name: 'Use a passkey instead' }).click()
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    assert.ok(!serving.log().includes(setup?.split('/').at(-1) ?? 'no link'))

    const sallyport = async (...argv: string[]) => {
      const run = promisify(execFile)
      const env = homeEnvironment(home)
      return run(process.execPath, [LAUNCHER, ...argv], { env, cwd: home }).then(
        ({ stdout }) => ({ exit: 0, stdout }),
        (error: { code: number; stdout: string }) => ({ exit: error.code, stdout: error.stdout }),
      )
    }
    const listed = await sallyport('people', 'ls', '--json')
    const [person] = (JSON.parse(listed.stdout) as { people: Record<string, unknown>[] }).people
    assert.deepEqual([person?.['email'], person?.['role']], ['ada@example.org', 'owner'])
    // Whoever runs commands here is no person before the gate has opened.
    for (const argv of [
      ['people', 'setup'],
      ['people', 'invite', 'eve@example.org', '--role', 'owner'],
      ['people', 'reset', 'ada@example.org'],
    ]) {
      const { exit, stdout } = await sallyport(...argv)
      assert.deepEqual([exit, stdout], [5, ''], argv.join(' '))
    }
    await serving.stop()
    serving = await startServing(home)
    assert.equal(serving.setup, null)
  } finally {
    await browser.close()
    await serving.stop()
    await remove()
  }
})
