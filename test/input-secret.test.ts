import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import type { Client } from '@modelcontextprotocol/client'
import type { SecretQuestion } from '../src/core/ask-port.ts'
import { Fault, type FaultCode } from '../src/core/faults.ts'
import { SecretText } from '../src/core/secret-text.ts'
import { type Era, openPage, openSecretServer, submitPage } from './support/secret-server.ts'
import { PERSON } from './support/vault.ts'

const asked: SecretQuestion[] = []
/** What the person does when a dialog opens. */
let atDialog: (question: SecretQuestion, signal: AbortSignal) => Promise<string> = async () => 'x'

const server = await openSecretServer(async (question, signal) => {
  asked.push(question)
  return { value: SecretText.fromText(await atDialog(question, signal)), via: 'dialog' }
})
after(() => server.close())

async function ask(
  client: Client,
  args: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<{ text: string; code: string | null; structured: Record<string, unknown> }> {
  const result = await client.callTool(
    { name: 'input_secret', arguments: args },
    signal === undefined ? undefined : { signal },
  )
  // The next test is a minute later: what the person cancelled here does not make it wait.
  server.pass(61_000)
  const [content] = result.content
  const structured = result.structuredContent as Record<string, unknown>
  const error = structured['error'] as { code: string } | undefined
  return {
    text: content?.type === 'text' ? content.text : '',
    code: error?.code ?? null,
    structured,
  }
}

async function valueAt(path: string): Promise<string> {
  const { value } = await server.vault.vault.get(PERSON, 'default', path)
  return value.reveal()
}

let paths = 0
const newPath = (): string => {
  paths += 1
  return `asked/p${paths}`
}

const eras: readonly Era[] = ['legacy', 'modern']
for (const era of eras) {
  test(`${era}: the person types on the page, the vault has it, nobody else saw it`, async () => {
    const path = newPath()
    const value = `p@ss "quo$te\\ é ${randomBytes(8).toString('hex')}`
    let shown = ''
    let message = ''
    let done = Promise.resolve({ status: 0, text: '', cookie: '' })
    const client = await server.connect(era, {
      as: 'agent',
      async onVisit(url, told) {
        message = told
        shown = (await openPage(url)).text
        return 'cancel'
      },
    })
    const looked = await ask(client, { name: path, prompt: 'for <b>billing</b>' })
    assert.equal(looked.code, 'INPUT_CANCELLED')
    assert.ok(shown.includes(path) && shown.includes(`${era}-test`))
    assert.ok(!shown.includes('<b>billing'))
    assert.match(message, new RegExp(path))

    const typing = await server.connect(era, {
      as: 'agent',
      async onVisit(url) {
        done = submitPage(url, { value })
        return 'accept'
      },
    })
    const answer = await ask(typing, { name: path, prompt: 'for billing' })
    assert.equal(answer.text, `OK: '${path}' stored (version 1).`)
    assert.ok(!JSON.stringify(answer).includes(value))
    const page = await done
    assert.equal(page.status, 200)
    assert.equal(await valueAt(path), value)
    assert.ok(!server.lines.join('').includes(value))
  })

  test(`${era}: an agent may replace what the person sees replaced`, async () => {
    const path = newPath()
    await server.vault.vault.put(PERSON, 'default', { path, value: SecretText.fromText('old') })
    let shown = ''
    const client = await server.connect(era, {
      as: 'agent',
      async onVisit(url) {
        await submitPage(url, { value: 'new' })
        return 'accept'
      },
    })
    const answer = await ask(client, { path, type: 'password' })
    assert.deepEqual(
      [answer.structured['version'], answer.structured['replaced'], answer.structured['type']],
      [2, 1, 'password'],
    )
    assert.equal(await valueAt(path), 'new')
    const looking = await server.connect(era, {
      as: 'agent',
      async onVisit(url) {
        shown = (await openPage(url)).text
        return 'decline'
      },
    })
    await ask(looking, { path })
    assert.match(shown, /version 2/)
  })

  test(`${era}: each way not to answer the page has its own text and stores nothing`, async () => {
    const ways: readonly [
      what: string,
      code: FaultCode,
      text: RegExp,
      act: (url: string) => Promise<'accept' | 'decline' | 'cancel'>,
    ][] = [
      [
        'Cancel on the page',
        'INPUT_CANCELLED',
        /^User cancelled the dialog; nothing was stored at /,
        async (url) => {
          await submitPage(url, { button: 'cancel' })
          return 'accept'
        },
      ],
      [
        'the client declines',
        'INPUT_CANCELLED',
        /^User cancelled the dialog/,
        async () => 'decline',
      ],
      [
        'too long',
        'INPUT_TOO_LONG',
        /^The value was too long; nothing was stored at /,
        async (url) => {
          await submitPage(url, { value: 'x'.repeat(65_537) })
          return 'accept'
        },
      ],
    ]
    for (const [what, code, text, act] of ways) {
      const path = newPath()
      const client = await server.connect(era, { as: 'agent', onVisit: act })
      const answer = await ask(client, { path })
      assert.equal(answer.code, code, what)
      assert.match(answer.text, text, what)
      await assert.rejects(valueAt(path), { code: 'SECRET_NOT_FOUND' })
    }
  })

  test(`${era}: a declined page no longer opens`, async () => {
    let opened = ''
    const client = await server.connect(era, {
      as: 'agent',
      async onVisit(url) {
        opened = url
        return 'decline'
      },
    })
    await ask(client, { path: newPath() })
    const page = await openPage(opened)
    assert.equal(page.status, 410)
    assert.ok(!page.text.includes('type="password"'))
  })

  test(`${era}: a call that is cancelled withdraws the page`, async () => {
    let opened = ''
    const abort = new AbortController()
    const client = await server.connect(era, {
      as: 'agent',
      async onVisit(url) {
        opened = url
        setTimeout(() => abort.abort(), 100)
        return 'accept'
      },
    })
    await assert.rejects(ask(client, { path: newPath() }, abort.signal))
    let status = 0
    for (let i = 0; i < 50 && status !== 410; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      status = (await openPage(opened)).status
    }
    assert.equal(status, 410)
  })

  test(`${era}: a waiting call tells that it is alive`, async () => {
    const messages: (string | undefined)[] = []
    atDialog = async () => 'typed'
    const client = await server.connect(era, { as: 'agent' })
    const path = newPath()
    await client.callTool(
      { name: 'input_secret', arguments: { path } },
      { onprogress: ({ message }) => void messages.push(message) },
    )
    assert.deepEqual(messages, ['Waiting for the person to enter the secret.'])
    assert.equal(await valueAt(path), 'typed')
  })

  test(`${era}: a client without pages gets the dialog, with the whole question`, async () => {
    const path = newPath()
    const value = randomBytes(24).toString('base64url')
    atDialog = async () => value
    asked.length = 0
    const client = await server.connect(era, { as: 'agent-in:/srv/shop' })
    const answer = await ask(client, { name: path, prompt: 'why' })
    assert.equal(answer.text, `OK: '${path}' stored (version 1).`)
    assert.deepEqual(asked, [
      {
        client: `${era}-test`,
        project: '/srv/shop',
        vault: 'default',
        path,
        replacesVersion: null,
        agentText: 'why',
      },
    ])
  })

  const dialogs: readonly [code: FaultCode, text: RegExp][] = [
    ['INPUT_CANCELLED', /^User cancelled the dialog/],
    ['INPUT_EMPTY', /^Empty value rejected/],
    ['INPUT_TOO_LONG', /^The value was too long/],
    ['INPUT_TIMED_OUT', /^Nobody entered a value in time/],
    ['INPUT_UNAVAILABLE', /sallyport secret put asked\/p\d+/],
    ['INPUT_BUSY', /^Another question is open\./],
  ]
  for (const [code, text] of dialogs)
    test(`${era}: ${code} at the dialog`, async () => {
      atDialog = async () => {
        throw new Fault(code, 'Another question is open.')
      }
      const client = await server.connect(era, { as: 'agent' })
      const answer = await ask(client, { path: newPath() })
      assert.equal(answer.code, code)
      assert.match(answer.text, text)
    })
}

test('two questions cancelled in a row make a pause that says how long it lasts', async () => {
  server.pass(60_000)
  // An answer ends the row of cancels that the tests above left.
  atDialog = async () => 'typed'
  await ask(await server.connect('modern', { as: 'agent' }), { path: 'pause/answered' })
  const client = await server.connect('modern', { as: 'agent', onVisit: async () => 'decline' })
  const once = (path: string) =>
    client.callTool({ name: 'input_secret', arguments: { path } }).then((result) => {
      const { error } = result.structuredContent as { error: { code: string; message: string } }
      return error
    })
  assert.equal((await once('pause/a')).code, 'INPUT_CANCELLED')
  assert.equal((await once('pause/b')).code, 'INPUT_CANCELLED')
  const third = await once('pause/c')
  assert.equal(third.code, 'INPUT_BUSY')
  assert.match(third.message, /\b60 seconds\b/)
  server.pass(60_000)
  assert.equal((await once('pause/d')).code, 'INPUT_CANCELLED')
  server.pass(60_000)
})

test('calls that the client cancels are not held against the person', async () => {
  for (const path of ['gone/a', 'gone/b']) {
    const abort = new AbortController()
    const client = await server.connect('modern', {
      as: 'agent',
      async onVisit() {
        setTimeout(() => abort.abort(), 30)
        return 'accept'
      },
    })
    await assert.rejects(ask(client, { path }, abort.signal))
  }
  atDialog = async () => 'typed'
  const client = await server.connect('modern', { as: 'agent' })
  assert.equal((await ask(client, { path: 'gone/c' })).code, null)
})

test('one question at a time: the second waits for the first', async () => {
  const order: string[] = []
  const first = Promise.withResolvers<string>()
  atDialog = ({ path }) => {
    order.push(path)
    return path === 'turn/a' ? first.promise : Promise.resolve('second')
  }
  const client = await server.connect('modern', { as: 'agent' })
  const answers = ['turn/a', 'turn/b'].map((path) => ask(client, { path }))
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.deepEqual(order, ['turn/a'])
  first.resolve('first')
  for (const { code } of await Promise.all(answers)) assert.equal(code, null)
  assert.deepEqual(order, ['turn/a', 'turn/b'])
})
