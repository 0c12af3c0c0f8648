// A value that an agent fetched through `sallyport mcp` is known wherever the same agent calls a server.
import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { createTokens } from '../../src/vault/index.ts'
import { approvedProject } from '../support/approved-project.ts'
import { projectAgent } from '../support/project-agent.ts'
import { startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER, saidBy, startWrapped } from '../support/wrapped.ts'

const FRAME_SERVER = fileURLToPath(new URL('../support/frame-server.mjs', import.meta.url))
const { home, remove } = await temporaryHome()
const held = `v-${randomBytes(24).toString('hex')}`
const digits = `9${Array.from(randomBytes(40), (byte) => byte % 10).join('')}`
const pem = generateKeyPairSync('rsa', { modulusLength: 1_024 })
  .privateKey.export({ format: 'pem', type: 'pkcs8' })
  .toString()
const project = await approvedProject(home, {
  'api/held': held,
  'api/digits': digits,
  'api/pem': pem,
})
const vault = await openTestVault({ home })
const { servers, policies } = await vault.registry()
await servers.add(PERSON, 'lines', {
  kind: 'stdio',
  command: [process.execPath, LINE_SERVER, join(home, 'lines.log')],
  variables: [],
})
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
await policies.attach(PERSON, 'open', { kind: 'server', name: 'lines' })
after(async () => {
  await vault.close()
  await remove()
})

/** As an agent in a project of its own reads it. */
async function fetched(): Promise<string> {
  const client = await projectAgent(home, project)
  try {
    const read = await client.callTool({ name: 'get_secret', arguments: { path: 'api/held' } })
    return (read.structuredContent as { value: string }).value
  } finally {
    await client.close()
  }
}

interface Event {
  readonly server?: string
  readonly tool?: string
  readonly direction?: string
  readonly verdict?: string
  readonly findings?: readonly string[]
}

async function eventsOf(action: string): Promise<readonly Event[]> {
  const entries = await vault.audit.query({ limit: 200, action })
  for (const { body } of entries) assert.ok(!body.includes(held), 'a value is in the audit')
  return entries.map(({ body }) => (JSON.parse(body) as { detail: Event }).detail)
}

/** Events about the value on its way to a server, and on its way back. */
async function told(server: string): Promise<readonly [there: number, back: number]> {
  const count = async (action: string, direction: string, finding: RegExp): Promise<number> =>
    (await eventsOf(action)).filter(
      (one) =>
        one.server === server &&
        one.tool === 'echo' &&
        one.direction === direction &&
        one.findings?.some((found) => finding.test(found)) === true,
    ).length
  return [
    await count('inspection.passed', 'input', /^known-value critical text 2-52$/),
    await count('inspection.changed', 'output', /^known-value critical redacted$/),
  ]
}

const SAID = `a ${held} b`
const SHOWN = 'a [REDACTED:api/held] b'

test('a value fetched through `sallyport mcp` is redacted in a separate `wrap` and raises the event', async () => {
  const running = startWrapped(home)
  assert.equal(saidBy(await running.call('before', 'echo', { text: SAID })), SAID)
  assert.deepEqual(await told('lines'), [0, 0], 'nobody was given it yet')
  assert.equal(await fetched(), held)
  const wrapped = startWrapped(home)
  assert.equal(saidBy(await wrapped.call(1, 'echo', { text: SAID })), SHOWN)
  assert.deepEqual(await told('lines'), [1, 1])
  assert.match(wrapped.received(), new RegExp(held), 'warn lets it go there')
  const encoded = saidBy(await wrapped.call(2, 'echo', { text: btoa(SAID) }))
  assert.match(encoded, /\[REDACTED:api\/held\]/)
  assert.doesNotMatch(wrapped.lines.join('\n'), new RegExp(held))
  // A process that runs already hears of it, too.
  assert.equal(saidBy(await running.call('after', 'echo', { text: SAID })), SHOWN)
  await Promise.all([running.end(), wrapped.end()])
  const strict = startWrapped(home, { env: { SALLYPORT_MCP_EXFIL_PROTECTION: 'block' } })
  const refused = await strict.call(1, 'echo', { text: SAID })
  assert.equal(refused.result?.isError, true)
  assert.match(saidBy(refused), /^Inspection refused this call; nothing was done\./)
  assert.match(saidBy(refused), /secret:\/\/PATH, not by its value\.$/)
  await strict.end()
  assert.doesNotMatch(strict.received(), new RegExp(held))
})

const LONG = 'some words '.repeat(250_000)

test('around large values it is found as well, in both directions', async () => {
  assert.equal(await fetched(), held)
  const [front, back] = [held.slice(0, 20), held.slice(20)]
  const frames = [
    `{"jsonrpc":"2.0","id":ID,"result":{"a":"${LONG}"},"x":"${held}","y":1}`,
    `{"jsonrpc":"2.0","id":ID,"result":{},"x":"${LONG}${held}","y":1}`,
    `{"jsonrpc":"2.0","id":ID,"x":"${front}","result":{"a":"${back}${LONG}"}}`,
  ]
  const file = join(home, 'frames.json')
  const log = join(home, 'frames.log')
  await writeFile(file, JSON.stringify(frames))
  const wrapped = startWrapped(home, {
    command: [process.execPath, FRAME_SERVER, file, log],
    env: { SALLYPORT_MCP_EXFIL_PROTECTION: 'block' },
  })
  for (const [index, shown] of [
    { result: { a: LONG }, y: 1 },
    { result: {}, y: 1 },
    { result: { a: back + LONG } },
  ].entries())
    assert.deepEqual(await wrapped.ask(`in ${index}`, 'vendor/frame', { frame: index }), {
      jsonrpc: '2.0',
      id: `in ${index}`,
      ...shown,
    })
  const meta = `"_meta":{"a":"${held}"}`
  for (const [index, message] of [
    `"method":"tools/call","params":{"name":"a","arguments":{"a":"${LONG}"},${meta}}`,
    `"method":"tools/call","params":{"name":"a","other":"${LONG}${held}"}`,
    `"method":"tools/call","params":{"name":"a","_meta":{"a":"${front}"},"arguments":{"a":"${back}${LONG}"}}`,
    `"method":"tools/call","params":{"name":"a","_meta":{"a":"${LONG}${front}"},"arguments":{"a":"${back}"}}`,
    `"method":"tools/call","params":{"name":"a"},"x":"${LONG}${held}"`,
    `"method":"ping","params":{"a":"${LONG}${held}"}`,
    `"method":"vendor/x","params":{"a":"${LONG}"},"x":"${held}"`,
  ].entries()) {
    wrapped.send(`{"jsonrpc":"2.0","id":"out ${index}",${message}}`)
    assert.match(await wrapped.lineWith(`"out ${index}"`), /Inspection refused this call/)
  }
  await wrapped.end()
  assert.doesNotMatch(await readFile(log, 'utf8'), /"out /)
})

test('at /s/NAME/mcp it is redacted in both eras and raises the event', async () => {
  assert.equal(await fetched(), held)
  const { token } = await (await createTokens(vault)).create('local', null)
  const serving = await startServing(home)
  try {
    const [, before] = await told('lines')
    for (const mode of ['legacy', 'auto'] as const) {
      const client = new Client({ name: mode, version: '1' }, { versionNegotiation: { mode } })
      await client.connect(
        new StreamableHTTPClientTransport(new URL('/s/lines/mcp', serving.url), {
          requestInit: { headers: { Authorization: `Bearer ${token.reveal()}` } },
        }),
      )
      const { content } = await client.callTool({ name: 'echo', arguments: { text: SAID } })
      assert.deepEqual(content, [{ type: 'text', text: SHOWN }])
      await client.callTool({
        name: 'echo',
        arguments: { text: held.slice(20) },
        _meta: { note: held.slice(0, 20) },
      })
      await client.close()
    }
    const [, after] = await told('lines')
    assert.equal(after - before, 2)
    const passed = await eventsOf('inspection.passed')
    const split = passed.filter(({ findings }) => /several fields/.test(String(findings)))
    assert.equal(split.length, 2)
  } finally {
    await serving.stop()
  }
})

/** A server that answers with what it is given, as it is written. */
const ECHO = `
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method, params = {} } = JSON.parse(line)
    const result = method === 'initialize'
      ? JSON.stringify({ protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'e', version: '1' } })
      : params.arguments?.answer
    if (id !== undefined) process.stdout.write('{"jsonrpc":"2.0","id":' + JSON.stringify(id) + ',"result":' + result + '}\\n')
  })`

test('a value that is split over the names of arguments is in no event', async () => {
  assert.equal(await fetched(), held)
  const halves = [held.slice(0, 20), held.slice(20)] as const
  const wrapped = startWrapped(home)
  try {
    await wrapped.call(1, 'echo', { [halves[0]]: 1, [halves[1]]: 2, other: 3 })
  } finally {
    await wrapped.end()
  }
  const calls = await vault.audit.query({ limit: 200, action: 'tool.call' })
  const bodies = calls.map(({ body }) => body)
  assert.ok(
    bodies.some((body) => body.includes('"[REDACTED:api/held]","[REDACTED:api/held]","other"')),
  )
  for (const body of bodies)
    for (const half of halves) assert.ok(!body.includes(half), 'half of a value is in the audit')
})

test('an answer in which a value is split over fields, or shows by its lines or as a number, goes on without it', async () => {
  const client = await projectAgent(home, project)
  for (const path of ['api/held', 'api/digits', 'api/pem'])
    await client.callTool({ name: 'get_secret', arguments: { path } })
  await client.close()
  const wrapped = startWrapped(home, { command: [process.execPath, '-e', ECHO] })
  const text = (value: string): object => ({ type: 'text', text: value })
  const answered = async (id: number, result: string): Promise<unknown> => {
    const { result: shown } = await wrapped.call(id, 'echo', { answer: result })
    return shown
  }
  const halves = [`a ${held.slice(0, 20)}`, `${held.slice(20)} b`]
  const shown = ['a [REDACTED:api/held]', '[REDACTED:api/held] b']
  try {
    assert.deepEqual(await answered(1, JSON.stringify({ content: halves.map(text) })), {
      content: shown.map(text),
    })
    const fields = (parts: readonly string[]): object => ({
      content: [],
      structuredContent: { first: parts[0], list: [parts[1]] },
    })
    assert.deepEqual(await answered(2, JSON.stringify(fields(halves))), fields(shown))
    assert.deepEqual(
      await answered(3, `{"content":[],"structuredContent":{"n":${digits},"m":1.50}}`),
      {
        content: [],
        structuredContent: { n: '[REDACTED:api/digits]', m: 1.5 },
      },
    )
    const bytes = (data: readonly unknown[]): object => ({
      content: [],
      structuredContent: { type: 'Buffer', data: [97, ...data, 98] },
    })
    assert.deepEqual(
      await answered(5, JSON.stringify(bytes([...Buffer.from(held)]))),
      bytes(['[REDACTED:api/held]']),
    )
    const lines = pem.trim().split('\n').slice(0, -2)
    assert.deepEqual(await answered(4, JSON.stringify({ content: lines.map(text) })), {
      content: lines.map((line) => text(line.startsWith('-') ? line : '[REDACTED:api/pem]')),
    })
  } finally {
    await wrapped.end()
  }
  const strict = startWrapped(home, { env: { SALLYPORT_MCP_EXFIL_PROTECTION: 'block' } })
  try {
    const number = `{"jsonrpc":"2.0","id":"n","method":"tools/call","params":{"name":"echo","arguments":{"text":${digits}}}}`
    strict.send(number)
    assert.match(await strict.lineWith('"n"'), /Inspection refused this call/)
    const refused = await strict.call('l', 'echo', { text: pem.split('\n')[5] })
    assert.match(saidBy(refused), /Inspection refused this call/)
    assert.doesNotMatch(strict.received(), new RegExp(digits))
  } finally {
    await strict.end()
  }
})

const each = (write: (char: string) => string): string => [...held].map(write).join('')
const moved = (char: string, by: number): string => String.fromCodePoint(char.charCodeAt(0) + by)
const hexOf = (char: string): string => char.charCodeAt(0).toString(16)

const DISGUISES: Readonly<Record<string, string>> = {
  'full-width forms': each((char) => moved(char, 0xfee0)),
  'mathematical digits': each((char) => (/\d/.test(char) ? moved(char, 0x1d7ce - 0x30) : char)),
  'zero-width spaces': [...held].join('\u200b'),
  'soft hyphens': [...held].join('\u00ad'),
  'variation selectors': [...held].join('\ufe0f'),
  'tag characters': [...held].join('\u{e0041}'),
  'ignorable marks': [...held].join('\u034f'),
  'soft line breaks': held.replaceAll(/.{10}(?=.)/g, '$&=\n'),
  'a line end': held.replace(/^.{13}/, '$&\n'),
  'indented lines, CRLF': held.replaceAll(/.{9}(?=.)/g, '$&\r\n  '),
  'a tab': held.replace(/^.{20}/, '$&\t'),
  'lines of a quotation': held.replaceAll(/.{12}(?=.)/g, '$&\n> '),
  entities: each((char) => `&#x${hexOf(char)};`),
  'escapes of JSON': each((char) => `\\u00${hexOf(char)}`),
  'escapes of C': each((char) => `\\x${hexOf(char)}`),
  'blanks between': [...held].join(' '),
  'escapes in octal': each((char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`),
  'escapes of Markdown': each((char) => (char === '-' ? '\\-' : char)),
  'colours of a terminal': held.replace(
    /^(.{20})(.{6})/,
    '$1\u001b[01;31m\u001b[K$2\u001b[m\u001b[K',
  ),
  'codes in an array': [...Buffer.from(held)].join(','),
  'an array in C': each((char) => `0x${hexOf(char)}, `).slice(0, -2),
  'percent, twice': each((char) => `%25${hexOf(char)}`),
}

test('a value in disguise is taken out of answers, in small and in large ones, and refused in arguments', async () => {
  assert.equal(await fetched(), held)
  const wrapped = startWrapped(home, { command: [process.execPath, '-e', ECHO] })
  try {
    const around = ['Übermut, a = b: ', ' and é']
    for (const [how, written] of Object.entries(DISGUISES)) {
      const answer = JSON.stringify({ content: [{ type: 'text', text: around.join(written) }] })
      const shown = await wrapped.call(how, 'echo', { answer })
      assert.equal(saidBy(shown), around.join('[REDACTED:api/held]'), how)
    }
    const all = Object.values(DISGUISES)
    const answer = JSON.stringify({
      content: [{ type: 'text', text: LONG + all.join(` ${LONG.slice(0, 100_000)} `) }],
    })
    const shown = await wrapped.call('large', 'echo', { answer })
    assert.equal(
      saidBy(shown),
      LONG + all.map(() => '[REDACTED:api/held]').join(` ${LONG.slice(0, 100_000)} `),
    )
  } finally {
    await wrapped.end()
  }
  const strict = startWrapped(home, { env: { SALLYPORT_MCP_EXFIL_PROTECTION: 'block' } })
  try {
    for (const [how, written] of Object.entries(DISGUISES)) {
      const refused = await strict.call(how, 'echo', { text: `a ${written} b` })
      assert.match(saidBy(refused), /Inspection refused this call/, how)
    }
    assert.doesNotMatch(strict.received(), /"echo"/)
  } finally {
    await strict.end()
  }
})
