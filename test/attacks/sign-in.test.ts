// Guessing at passwords and accounts through every door there is, at two processes of one store.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { type EpochMs, epochMs } from '../../src/core/time.ts'
import { hashAtCost } from '../../src/crypto/index.ts'
import { type ApiReply, serveTestApi, type TestApi } from '../support/api.ts'
import { FormBrowser, type ServedPages, servePages } from '../support/pages.ts'
import { BROWSER, invited, PASSWORD } from '../support/people.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, SQLITE } from '../support/vault-stores.ts'

let now = Date.parse('2026-11-15T12:00:00Z')
const clock = (): EpochMs => epochMs(now)
const open = new OpenVaults()
const apis: TestApi[] = []
const pages: ServedPages[] = []
let vault: TestVault

before(async () => {
  vault = await open.fresh(SQLITE, clock)
  for (const one of [vault, await open.twin(vault, clock)]) {
    apis.push(await serveTestApi(one, { clock }, ['127.0.0.1']))
    pages.push(await servePages(one))
  }
  const { people, signIn } = await vault.identity.people()
  // Her password costs what it costs everybody: how long it takes is part of this.
  hashAtCost('recommended')
  const { token } = await people.setupLink(PERSON)
  const email = 'ada@example.org'
  await signIn.acceptLink(token, { email, name: 'Ada', password: PASSWORD }, BROWSER)
  hashAtCost('least')
  // Hers does not: what is asked of her is whether she may come in at all.
  await invited(vault, 'member', 'grace@example.org')
  const shut = await invited(vault, 'member', 'shut@example.org')
  await people.update(PERSON, shut.person.id, { isActive: false })
  await people.invite(PERSON, { email: 'waiting@example.org', role: 'member' })
})
// What is counted is forgotten after a day.
afterEach(() => {
  now += 86_400_001
})
after(async () => {
  await Promise.all([...apis, ...pages].map((one) => one.stop()))
  await open.close(true)
})

/** Somebody with a password, nobody, somebody who was shut out, one who was invited, and texts that are no address. */
const ACCOUNTS = [
  'ada@example.org',
  'nobody@example.org',
  'shut@example.org',
  'waiting@example.org',
  'no address',
  '',
] as const

let addresses = 0
const newAddress = (): string => `198.51.100.${(addresses += 1)}`

function guess(email: string, from: string, at = 0, password = 'not the password') {
  const api = apis[at] ?? assert.fail()
  return api.ask('/v1/auth/token', {
    method: 'POST',
    body: { email, password },
    headers: { 'x-forwarded-for': from, 'x-forwarded-proto': 'https' },
  })
}

function browserAt(address: string, at = 0): FormBrowser {
  const served = pages[at] ?? assert.fail()
  return new FormBrowser(served.pages, served.site, {
    peer: '127.0.0.1',
    address,
    isSecure: false,
  })
}

function told({ status, headers, body }: ApiReply): string {
  const names = ['www-authenticate', 'retry-after', 'content-type', 'set-cookie']
  return JSON.stringify([
    status,
    names.map((name) => headers.get(name)),
    { ...(body as object), request_id: null },
  ])
}

const ROUNDS = 3

test('sign-in over HTTP says the same of every account, and takes as long', async (t) => {
  hashAtCost('recommended')
  t.after(() => hashAtCost('least'))
  const texts = new Set<string>()
  const timed = async (email: string, at: number): Promise<number> => {
    // Time on a processor: what others do on the machine says nothing of it.
    const began = process.cpuUsage()
    texts.add(told(await guess(email, newAddress(), at)))
    const { user, system } = process.cpuUsage(began)
    return user + system
  }
  const least = new Map<string, number>()
  for (let round = 0; round < ROUNDS; round += 1) {
    // By turns the first, and not paused yet.
    for (const email of [...ACCOUNTS.slice(round), ...ACCOUNTS.slice(0, round)])
      least.set(email, Math.min(least.get(email) ?? Infinity, await timed(email, round % 2)))
    now += 86_400_001
  }
  assert.equal(texts.size, 1, [...texts].join('\n'))
  // What else the process does, and a full cache, only ever add: the least is what the answer itself takes. Without the
  // work of a password that is a hundredth.
  const [known] = ACCOUNTS
  for (const [email, took] of least) {
    const ratio = took / (least.get(known) ?? 1)
    assert.ok(ratio > 0.6 && ratio < 1.7, `${email}: ${ratio.toFixed(2)}`)
  }
})

test('an account is paused at every door of every process, whether there is one or not', async () => {
  for (const email of ['grace@example.org', 'nobody@example.org']) {
    const before: string[] = []
    for (let n = 0; n < 5; n += 1)
      before.push(told(await guess(n % 2 === 0 ? email : email.toUpperCase(), newAddress(), n % 2)))
    assert.equal(new Set(before).size, 1)
    for (const at of [0, 1]) {
      const paused = await guess(email, newAddress(), at, PASSWORD)
      assert.deepEqual([paused.status, paused.headers.get('retry-after')], [429, '30'], email)
      const page = await browserAt(newAddress(), at).post('/sign-in', {
        email,
        password: PASSWORD,
        to: '',
      })
      assert.deepEqual([page.status, page.headers.get('retry-after')], [429, '30'], email)
    }
  }
  now += 30_000
  assert.equal((await guess('grace@example.org', newAddress(), 1, PASSWORD)).status, 200)
})

test('an address is paused whatever accounts it guesses at, and says of itself what it likes', async () => {
  const from = '203.0.113.77'
  const statuses: number[] = []
  for (let n = 0; n < 21; n += 1)
    statuses.push((await guess(`somebody${n}@example.org`, from, n % 2)).status)
  assert.deepEqual([statuses.filter((status) => status === 401).length, statuses.at(-1)], [20, 429])
  // What a client puts before its address is its own word.
  for (const spoofed of [`192.0.2.1, ${from}`, `127.0.0.1, ${from}`, `unknown, ${from}:4711`])
    assert.equal((await guess('grace@example.org', spoofed, 0, PASSWORD)).status, 429, spoofed)
  assert.equal((await guess('grace@example.org', newAddress(), 0, PASSWORD)).status, 200)
})

test('guesses that come at once are all counted', async () => {
  const replies = await Promise.all(
    Array.from({ length: 16 }, (_, n) => guess('ada@example.org', newAddress(), n % 2)),
  )
  const statuses = replies.map(({ status }) => status)
  assert.deepEqual(
    [statuses.filter((one) => one === 401).length, statuses.filter((one) => one === 429).length],
    [5, 11],
  )
})

test('links, keys and questions to authenticators say nothing of accounts', async () => {
  const pageOf = async (response: Response): Promise<string> =>
    JSON.stringify([
      response.status,
      (await response.text()).replaceAll(/nonce="[^"]*"/g, '').replaceAll(/value="[^"]*"/g, ''),
    ])
  const links = new Set<string>()
  for (const kind of ['setup', 'join', 'reset'])
    for (const token of ['x', 'x'.repeat(43), `spt_${'x'.repeat(43)}`, '%00', 'ada@example.org'])
      links.add(await pageOf(await browserAt(newAddress()).get(`/${kind}/${token}`)))
  assert.equal(links.size, 1, [...links].join('\n'))

  const answers = new Set<string>()
  for (const email of ACCOUNTS) {
    const asked = await browserAt(newAddress()).json('/passkeys/question', {
      purpose: 'sign-in',
      email,
    })
    answers.add((await asked.text()).replaceAll(/"[\w-]{20,}"/g, '"…"').replaceAll(/\d+/g, '0'))
  }
  assert.equal(answers.size, 1, [...answers].join('\n'))

  const keys = new Set<string>()
  for (const api_key of ['', 'x', `1ck_${'A'.repeat(43)}aaaaaa`, `ocv_${'A'.repeat(43)}aaaaaa`])
    keys.add(
      told(
        await (apis[0] ?? assert.fail()).ask('/v1/auth/api-key-token', {
          method: 'POST',
          body: { api_key },
          headers: { 'x-forwarded-for': newAddress(), 'x-forwarded-proto': 'https' },
        }),
      ),
    )
  assert.equal(keys.size, 1, [...keys].join('\n'))
})
