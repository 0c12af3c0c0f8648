// What one process of a principal was given is known in all of their processes, in every encoding.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { approvedProject } from '../support/approved-project.ts'
import { homeEnvironment, LAUNCHER, temporaryHome } from '../support/serving.ts'

const { home, remove } = await temporaryHome()
after(remove)
const held = `v-${randomBytes(24).toString('hex')}`
const project = await approvedProject(home, { 'api/held': held })

async function connect(): Promise<Client> {
  const client = new Client({ name: 'known', version: '1' })
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [LAUNCHER, 'mcp'],
      cwd: project,
      env: { ...homeEnvironment(home), SALLYPORT_MCP_EXFIL_PROTECTION: 'block' },
      stderr: 'ignore',
    }),
  )
  return client
}

/** What is left of a text when what the principal knows was taken out. */
async function redacted(client: Client, content: string): Promise<string> {
  const answer = await client.callTool({
    name: 'inspect_content',
    arguments: { content, context: 'output' },
  })
  const { redacted_content: text } = answer.structuredContent as { redacted_content?: string }
  return text ?? content
}

async function within(ms: number, holds: () => Promise<boolean>): Promise<boolean> {
  const until = performance.now() + ms
  for (;;) {
    if (await holds()) return true
    if (performance.now() > until) return false
    await sleep(50)
  }
}

const wrapped = (text: string, width: number, end: string): string =>
  text.replaceAll(new RegExp(`.{${width}}(?=.)`, 'g'), `$&${end}`)

const FORMS: readonly (readonly [what: string, write: (value: string) => string])[] = [
  ['as it is', (value) => value],
  ['base64 in lines', (value) => wrapped(btoa(`user:${value}:${'x'.repeat(60)}`), 76, '\r\n')],
  ['base64 in base64', (value) => btoa(`a=${btoa(value)}`)],
  ['hex with colons', (value) => wrapped(Buffer.from(value).toString('hex'), 2, ':')],
  [
    'percent, every other character',
    (value) =>
      [...value]
        .map((one, at) => (at % 2 === 0 ? `%${one.charCodeAt(0).toString(16)}` : one))
        .join(''),
  ],
  [
    'every character as \\u',
    (value) =>
      [...value].map((one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
  ],
  ['JSON in JSON', (value) => JSON.stringify(JSON.stringify({ value }))],
  ['UTF-16 as text', (value) => Buffer.from(value, 'utf16le').toString('latin1')],
  ['reversed', (value) => [...value].toReversed().join('')],
]

test('a value that one process read or stored is redacted and held back in another', async () => {
  const [one, other] = [await connect(), await connect()]
  try {
    assert.equal(await redacted(other, `a ${held} b`), `a ${held} b`, 'nobody was given it')
    const read = await one.callTool({ name: 'get_secret', arguments: { path: 'api/held' } })
    assert.equal((read.structuredContent as { value: string }).value, held)
    const stored = `v-${randomBytes(24).toString('hex')}`
    await one.callTool({ name: 'put_secret', arguments: { path: 'api/new', value: stored } })
    for (const [path, value] of [
      ['api/held', held],
      ['api/new', stored],
    ] as const) {
      const isKnown = await within(
        2_000,
        async () => (await redacted(other, value)) === `[REDACTED:${path}]`,
      )
      assert.ok(isKnown, `${path} is not known in the other process`)
      for (const [what, write] of FORMS) {
        const text = await redacted(other, `a ${write(value)} b`)
        assert.ok(text.includes(`[REDACTED:${path}]`), `${path}, ${what}: ${text.length}`)
        assert.equal(await redacted(other, text), text, `${path}, ${what}: something is left`)
      }
      const sent = await other.callTool({
        name: 'create_vault',
        arguments: { name: 'out', description: `see ${btoa(value)}` },
      })
      assert.equal(sent.isError, true)
      assert.doesNotMatch(JSON.stringify(sent), new RegExp(value))
    }
  } finally {
    await Promise.all([one.close(), other.close()])
  }
})
