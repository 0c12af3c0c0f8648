import assert from 'node:assert/strict'
import test from 'node:test'
import type { SecretQuestion } from '../core/ask-port.ts'
import { type AskOptions, createAskPassphrase, createAskSecret, tryDialog } from './index.ts'
import type { TerminalAnswer } from './terminal.ts'

const QUESTION: SecretQuestion = {
  client: 'claude-code',
  project: null,
  vault: 'default',
  path: 'api/stripe',
  replacesVersion: null,
  agentText: null,
}
const never = new AbortController().signal
const on = (answer: TerminalAnswer): AskOptions => ({
  env: {},
  terminal: () => Promise.resolve(answer),
})
const typed = (text: string): TerminalAnswer => ({ kind: 'value', value: Buffer.from(text) })

const ends: readonly [what: string, answer: TerminalAnswer, code: string, message: string][] = [
  [
    'cancelled',
    { kind: 'cancelled' },
    'INPUT_CANCELLED',
    "The person cancelled entering 'api/stripe'.",
  ],
  [
    'withdrawn',
    { kind: 'aborted' },
    'INPUT_CANCELLED',
    "The question for 'api/stripe' was withdrawn.",
  ],
  ['empty', typed(''), 'INPUT_EMPTY', "The person gave no value for 'api/stripe'."],
  ['timed out', { kind: 'timed-out' }, 'INPUT_TIMED_OUT', "Nobody entered 'api/stripe' in time."],
  [
    'too long',
    { kind: 'too-long' },
    'INPUT_TOO_LONG',
    "The value for 'api/stripe' has more than 65536 bytes.",
  ],
  [
    'neither display nor terminal',
    { kind: 'failed', reason: 'there is no terminal' },
    'INPUT_UNAVAILABLE',
    'Nobody can be asked from here; have the person run: sallyport secret put api/stripe',
  ],
]
for (const [what, answer, code, message] of ends)
  test(`askSecret: ${what} has its own text`, () =>
    assert.rejects(createAskSecret(on(answer))(QUESTION, never), { code, message }))

test('askSecret: the value, and by which way', async () => {
  const { value, via } = await createAskSecret(on(typed('é$"')))(QUESTION, never)
  assert.equal(value.reveal(), 'é$"')
  assert.equal(via, 'terminal')
})

test('askPassphrase: nowhere to ask', () =>
  assert.rejects(
    createAskPassphrase(on({ kind: 'failed', reason: 'there is no terminal' }))(
      { action: 'read a secret', detail: null, purpose: 'presence' },
      never,
    ),
    {
      code: 'PRESENCE_UNAVAILABLE',
      message: /^The presence passphrase cannot be asked for here/,
      details: {
        reasons: ['there is no terminal'],
        remedy: 'run the command in a terminal of yours',
      },
    },
  ))

test('askPassphrase: a new one that never matches is given up after three tries', async () => {
  let asked = 0
  const ask = createAskPassphrase({
    env: {},
    terminal: () => Promise.resolve(typed(`answer ${(asked += 1)}`)),
  })
  const request = { action: 'set the presence passphrase', detail: null }
  await assert.rejects(ask({ ...request, purpose: 'new-presence' }, never), {
    code: 'INPUT_CANCELLED',
  })
  assert.equal(asked, 6)
})

test('askPassphrase: shows what it is for, harmlessly', async () => {
  const shown: string[] = []
  const ask = createAskPassphrase({
    env: {},
    terminal: ({ lines }) => {
      shown.push(...lines)
      return Promise.resolve(typed('x'))
    },
  })
  await ask({ action: 'read a\nb', detail: '\u202evil', purpose: 'presence' }, never)
  assert.ok(shown.includes('To: read a⏎b'))
  assert.ok(shown.includes('[U+202E]vil'))
})

test('tryDialog: counts characters', async () => {
  assert.deepEqual(await tryDialog(on(typed('aé🔑'))), {
    program: 'terminal',
    via: 'terminal',
    characters: 3,
  })
})
