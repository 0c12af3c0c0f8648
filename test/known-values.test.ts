// What the secrets server knows of values, and whom it tells: real clients, real vault, real detectors.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Client } from '@modelcontextprotocol/client'
import { callInspection } from '../src/app/call-inspection.ts'
import { withKnownValues } from '../src/app/known-values.ts'
import { DEFAULT_SWITCHES } from '../src/core/config.ts'
import { Fault } from '../src/core/faults.ts'
import { silentLog } from '../src/core/log.ts'
import { monotonicMs, sleep } from '../src/core/time.ts'
import { type Era, openSecretServer } from './support/secret-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'sallyport-known-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const inspection = withKnownValues(
  callInspection(
    {
      inspection: { ...DEFAULT_SWITCHES, exfiltration: 'block' },
      inspectionFile: join(folder, 'inspection.json'),
    },
    async () => null,
    silentLog,
  ),
  async () => server.vault.knownTo,
)
const server = await openSecretServer(async () => {
  throw new Fault('INPUT_UNAVAILABLE', 'There is neither a display nor a terminal.')
}, inspection)
after(() => server.close())

interface Answer {
  readonly text: string
  readonly isError: boolean
  readonly structured: Record<string, unknown>
}

async function call(client: Client, name: string, args: object): Promise<Answer> {
  const result = await client.callTool({ name, arguments: { ...args } })
  const [content] = result.content
  return {
    text: content?.type === 'text' ? content.text : '',
    isError: result.isError === true,
    structured: result.structuredContent as Record<string, unknown>,
  }
}

function strong(): string {
  return `tk_${randomBytes(24).toString('base64url')}`
}

/** Ways in which an agent may ask whether a value is known. */
const ASKED: readonly (readonly [how: string, write: (value: string) => string])[] = [
  ['as it is', (value) => value],
  ['in base64', (value) => btoa(`user:${value}`)],
  ['in hex with colons', (value) => Buffer.from(value).toString('hex').match(/../g)!.join(':')],
  [
    'percent encoded',
    (value) => [...value].map((one) => `%${one.charCodeAt(0).toString(16)}`).join(''),
  ],
  ['in JSON', (value) => JSON.stringify(JSON.stringify({ value }))],
]

const eras: readonly Era[] = ['legacy', 'modern']
for (const era of eras) {
  const person = await server.connect(era)
  const agent = await server.connect(era, { as: 'agent' })

  test(`${era}: inspect_content tells nobody what another principal holds`, async () => {
    const value = strong()
    const path = `${era}/held`
    const look = (client: Client, content: string, context: 'input' | 'output'): Promise<Answer> =>
      call(client, 'inspect_content', { content, context })
    const questions = ASKED.flatMap(([how, write]) =>
      (['input', 'output'] as const).map((context) => [how, write(value), context] as const),
    )
    const before = []
    for (const [, content, context] of questions) before.push(await look(agent, content, context))
    assert.equal((await call(person, 'put_secret', { path, value })).isError, false)
    assert.equal((await call(agent, 'get_secret', { path })).isError, true)
    // A process hears of new values within a second.
    const isHeardOf = async (): Promise<boolean> =>
      JSON.stringify((await look(person, value, 'input')).structured).includes('[REDACTED:')
    for (const until = monotonicMs() + 1_000; monotonicMs() < until; await sleep(20))
      if (await isHeardOf()) break
    for (const [at, [how, content, context]] of questions.entries()) {
      const known = await look(person, content, context)
      assert.match(
        JSON.stringify(known.structured),
        /\[REDACTED:/,
        `${how}, ${context}: ${content}`,
      )
      assert.deepEqual(await look(agent, content, context), before[at], `${how}, ${context}`)
    }
    // Nor does any other tool refuse or change what the other principal may not say.
    const made = await call(agent, 'create_vault', { name: `${era}-probe`, description: value })
    assert.equal(made.structured['description'], value)
    const refused = await call(person, 'create_vault', { name: `${era}-own`, description: value })
    assert.equal(refused.isError, true)
  })

  for (const [tool, done] of [
    ['put_secret', (path: string) => `Secret stored at '${path}' (version 2, type: api_key).`],
    ['set_secret', (path: string) => `OK: '${path}' stored (version 2).`],
    ['rotate_and_store', (path: string) => `Rotated secret at '${path}'. New version: 2.`],
  ] as const)
    test(`${era}: ${tool} warns when a value can be guessed and so will not be redacted`, async () => {
      const path = `${era}/${tool}`
      await call(person, 'put_secret', { path, value: strong() })
      const weak = await call(person, tool, { path, value: 'hunter2-hunter2' })
      assert.equal(weak.isError, false)
      const [first, warning] = weak.text.split('\n')
      assert.equal(first, done(path))
      assert.equal(
        warning,
        'Warning: this value can be guessed, so nothing is remembered of it and it is not redacted where it shows ' +
          'up (not_redactable). Use a longer random value, or have the person run: ' +
          `sallyport secret put ${path} --remember-weak`,
      )
      assert.equal(weak.structured['not_redactable'], true)
      const content = 'password: hunter2-hunter2'
      const seen = await call(person, 'inspect_content', { content, context: 'output' })
      assert.doesNotMatch(JSON.stringify(seen), /known-value|REDACTED:/)
      const fine = await call(person, tool, { path, value: strong() })
      assert.ok(!fine.text.includes('Warning'))
      assert.ok(!('not_redactable' in fine.structured))
    })

  test(`${era}: no argument of a tool has a weak value remembered`, async () => {
    for (const name of ['put_secret', 'set_secret', 'rotate_and_store'])
      for (const argument of ['remember_weak', 'rememberWeak']) {
        const args = { path: `${era}/none`, value: 'hunter2', [argument]: true }
        const answer = await call(agent, name, args)
        assert.equal(answer.isError, true)
        assert.match(answer.text, new RegExp(`unknown argument '${argument}'`))
      }
  })
}
