import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { epochMs } from '../../src/core/time.ts'
import { startChromium } from '../support/chromium.ts'
import { serveMcpDoor } from '../support/mcp-door.ts'
import { programMissing } from '../support/require.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, SQLITE, secret } from '../support/vault-stores.ts'

const skip = programMissing('chromium', 'apt-get install chromium')

describe('the page of a link', { skip }, () => {
  const open = new OpenVaults()
  const stops: (() => Promise<void>)[] = []
  let browser: Browser
  before(async () => {
    browser = await startChromium()
  })
  after(() => browser.close())
  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop()
    await open.close(true)
  })

  async function shared(passphrase: string | null) {
    const vault: TestVault = await open.fresh(SQLITE)
    await vault.vault.put(PERSON, 'default', { path: 'config/db', value: secret('the value') })
    const door = await serveMcpDoor(vault)
    stops.push(() => door.stop())
    const { share, link } = await vault.sharing.shares.create(
      PERSON,
      { vault: 'default', path: 'config/db' },
      {
        recipientType: 'anyone_with_link',
        expiresAt: epochMs(Date.now() + 3_600_000),
        maxAccessCount: 1,
        ...(passphrase === null ? {} : { passphrase: secret(passphrase) }),
      },
    )
    const site = door.baseUrl.replace('//127.0.0.1:', '//localhost:')
    const reads = async () => (await vault.sharing.shares.outbound(PERSON))[0]?.accessCount
    return { site, path: `/share/${share.id}`, hash: link?.reveal() ?? '', reads }
  }

  test('looking spends nothing, a click shows it once, and the address bar forgets', async () => {
    const { site, path, hash, reads } = await shared(null)
    for (const method of ['GET', 'HEAD', 'POST'])
      await fetch(`${site}${path}`, { method, headers: { 'user-agent': 'preview-bot' } })
    const page = await browser.newPage({ viewport: { width: 390, height: 700 } })
    const sent: string[] = []
    page.on('request', (request) => sent.push(request.url()))
    await page.goto(`${site}${path}#${hash}`)
    assert.equal(await page.evaluate('location.href'), `${site}${path}`)
    assert.equal(await reads(), 0)
    await page.click('#show')
    await page.waitForSelector('#shown:not([hidden])')
    assert.equal(await page.inputValue('#value'), 'the value')
    assert.equal(await page.textContent('#path'), 'config/db')
    assert.equal(await reads(), 1)
    assert.ok(sent.every((url) => !url.includes(hash)))
    await page.goto(`${site}${path}#${hash}`)
    await page.reload()
    await page.goto('about:blank')
    await page.goto(`${site}${path}#${hash}`)
    await page.click('#show')
    await page.waitForSelector('#problem:not([hidden])')
    assert.match((await page.textContent('#problem')) ?? '', /expired or was opened as often/)
    await page.close()
  })

  test('a passphrase is asked for when the share has one', async () => {
    const { site, path, hash } = await shared('correct horse battery')
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    await page.goto(`${site}${path}#${hash}`)
    await page.click('#show')
    await page.waitForSelector('#ask:not([hidden])')
    await page.fill('#passphrase', 'wrong horse battery')
    await page.click('#show')
    await page.waitForSelector('#problem:has-text("wrong")')
    await page.fill('#passphrase', 'correct horse battery')
    await page.click('#show')
    await page.waitForSelector('#shown:not([hidden])')
    assert.equal(await page.inputValue('#value'), 'the value')
    await page.close()
  })

  test('an address that was cut off says so', async () => {
    const { site, path } = await shared(null)
    const page = await browser.newPage()
    await page.goto(`${site}${path}`)
    assert.match((await page.textContent('#problem')) ?? '', /not whole/)
    assert.ok(await page.isDisabled('#show'))
    await page.close()
  })
})
