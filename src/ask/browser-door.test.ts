import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { sleep } from '../core/time.ts'
import { createBrowserDoor } from './browser-door.ts'

interface Said {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

/** As nobody's `fetch` lets it be done: with the Host that a test wants. */
function ask(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
): Promise<Said> {
  return new Promise((resolve, reject) => {
    request(url, { headers, method }, (answer) => {
      text(answer).then(
        (body) => resolve({ status: answer.statusCode, headers: answer.headers, body }),
        reject,
      )
    })
      .on('error', reject)
      .end()
  })
}

test('browser: it comes back to a page of loopback that says what came of it', async () => {
  const came: string[] = []
  const waiting = await createBrowserDoor().catchRedirect(null, async (url) => {
    came.push(url)
    return url.includes('good')
      ? { isDone: true, title: 'Done <b>', text: 'Close "it"' }
      : { isDone: false, title: 'Not', text: 'no' }
  })
  assert.match(waiting.url, /^http:\/\/127\.0\.0\.1:\d+\/callback$/)
  const done = await ask(`${waiting.url}?code=good&state=1`)
  assert.equal(done.status, 200)
  assert.match(done.body, /Done &lt;b&gt;/)
  assert.equal(done.headers['cache-control'], 'no-store')
  assert.equal(done.headers['referrer-policy'], 'same-origin')
  assert.equal((await ask(`${waiting.url}?code=bad`)).status, 400)
  assert.deepEqual(came, [`${waiting.url}?code=good&state=1`, `${waiting.url}?code=bad`])
  const { port, origin } = new URL(waiting.url)
  const turnedAway: readonly [url: string, headers: Record<string, string>, method?: string][] = [
    [`${origin}/`, {}],
    [`${origin}/callback/more?code=good`, {}],
    [waiting.url, {}, 'POST'],
    [waiting.url, { host: `evil.example:${port}` }],
    [waiting.url, { host: `localhost:${port}` }],
    [waiting.url, { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
    [waiting.url, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' }],
  ]
  for (const [url, headers, method] of turnedAway)
    assert.ok([403, 404].includes((await ask(url, headers, method)).status ?? 0), url)
  assert.equal(came.length, 2)
  await waiting.close()
  await assert.rejects(ask(waiting.url))
})

test('browser: what is being answered is answered before the page goes', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const waiting = await createBrowserDoor().catchRedirect(null, async () => {
    resolve()
    await sleep(30)
    return { isDone: true, title: 'Done', text: '' }
  })
  const asked = ask(`${waiting.url}?code=1`)
  await promise
  await Promise.all([waiting.close(), asked.then(({ status }) => assert.equal(status, 200))])
})

test('browser: a port that is taken is named', async () => {
  const door = createBrowserDoor()
  const first = await door.catchRedirect(null, async () => assert.fail('nobody came'))
  const port = Number(new URL(first.url).port)
  await assert.rejects(
    door.catchRedirect(port, async () => assert.fail('nobody came')),
    { code: 'CONFLICT', message: `Port ${port} of this machine is taken.` },
  )
  await first.close()
})

test('browser: an address of the web is opened as one argument, and nothing else is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-browser-'))
  const file = join(folder, 'opener')
  writeFileSync(file, `#!/bin/sh\nprintf '%s|' "$#" "$1" >> '${folder}/log'\n`)
  chmodSync(file, 0o755)
  const opens = (env: Record<string, string>, program: string | null = file) =>
    createBrowserDoor({ platform: 'linux', env, findProgram: () => program })
  const desktop = { DISPLAY: ':1' }
  const url = "https://a.example/x?a=b&c=$(touch x)'`;%20"
  assert.equal(await opens(desktop).open(url), true)
  for (const other of ['file:///etc/passwd', 'javascript:alert(1)', '--help', ''])
    assert.equal(await opens(desktop).open(other), false)
  assert.equal(await opens({}).open(url), false)
  assert.equal(await opens(desktop, null).open(url), false)
  assert.equal(await opens(desktop, join(folder, 'nothing')).open(url), false)
  let log = ''
  for (let waited = 0; waited < 5_000 && log === ''; waited += 10) {
    await sleep(10)
    try {
      log = readFileSync(join(folder, 'log'), 'utf8')
    } catch {
      // Not yet.
    }
  }
  assert.equal(log, `1|${new URL(url).href}|`)
  rmSync(folder, { recursive: true })
})
