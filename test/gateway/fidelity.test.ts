// A corpus of odd frames: each goes through the gateway byte for byte, on stdio and over HTTP, in both directions.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { events, eventually, json, scripted } from '../support/http-upstream.ts'
import { temporaryHome } from '../support/serving.ts'
import { startWrapped, type Wrapped } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
after(remove)
const FRAME_SERVER = fileURLToPath(new URL('../support/frame-server.mjs', import.meta.url))

/** What frames carry besides their ids, as it is written. */
const VALUES: readonly [what: string, value: string][] = [
  ['a number beyond doubles', '{"n":12345678901234567890}'],
  ['a fraction beyond doubles', '{"n":0.1234567890123456789012345}'],
  ['a whole number as a fraction', '{"n":1.0}'],
  ['exponents', '{"a":1e3,"b":1E+2,"c":1.5e-7}'],
  ['minus nothing', '{"n":-0}'],
  ['escapes that need not be', '{"e":"\\u00e9\\/\\u0041"}'],
  ['letters and escapes', '{"é":"é😀\\ud83d\\ude00"}'],
  ['half a character', '{"e":"\\ud800 and \\udc00"}'],
  ['characters without a shape', '{"e":"\\u0000\\u001f\\u007f\\u2028\\ufeff"}'],
  ['line separators as they are', '{"e":"\u2028\u2029\u0085"}'],
  ['spaces between tokens', '{ "a" :\t[ 1 , 2 ] , "b" : { } }'],
  ['the order of names', '{"z":1,"a":2,"_meta":{"y":1},"m":3}'],
  ['names of prototypes', '{"__proto__":{"a":1},"constructor":2,"toString":3}'],
  ['names of numbers', '{"10":1,"9":2,"1":3}'],
  ['an empty name', '{"":{"":[]}}'],
  ['names that differ in case', '{"name":1,"Name":2}'],
  ['depth', `{"d":${'['.repeat(200)}${']'.repeat(200)}}`],
  ['a megabyte', `{"s":"${'x'.repeat(1_048_576)}"}`],
]

/** Frames of a server; `ID` is the id of what is answered. */
const ANSWERS: readonly [what: string, frame: string][] = [
  ...VALUES.map(([what, value]): [string, string] => [
    what,
    `{"jsonrpc":"2.0","id":ID,"result":${value}}`,
  ]),
  ['names in another order', '{"result":{"a":1},"id":ID,"jsonrpc":"2.0"}'],
  ['a member nobody knows', '{"jsonrpc":"2.0","id":ID,"result":{},"trace":{"n":1.0}}'],
  [
    'an error with members nobody knows',
    '{"jsonrpc":"2.0","id":ID,"error":{"code":-1,"message":"m","data":1.0,"more":[]},"x":1}',
  ],
  ['a result that is no object', '{"jsonrpc":"2.0","id":ID,"result":[1.0,null]}'],
  ['a result of nothing', '{"jsonrpc":"2.0","id":ID,"result":null}'],
  ['spaces around', ' \t{"jsonrpc":"2.0","id":ID,"result":{}} '],
]

const IDS: readonly [what: string, id: string][] = [
  ['a text', '"a b"'],
  ['an empty text', '""'],
  ['a text of digits', '"7"'],
  ['nothing', '0'],
  ['less than nothing', '-5'],
  ['a fraction', '1.5'],
  ['a fraction that is whole', '8.0'],
  ['an exponent', '9e0'],
  ['an escape', '"\\u0061\\u00e9"'],
]

/** Answers that are none, with an id by which whoever asked can be told. */
const CROOKED: readonly [what: string, frame: string, why: RegExp][] = [
  ['an error that is none', '{"jsonrpc":"2.0","id":ID,"error":"x"}', /'error' must have a code/],
  [
    'result and error',
    '{"jsonrpc":"2.0","id":ID,"result":{},"error":{"code":1,"message":"m"}}',
    /neither a request nor an answer/,
  ],
  ['neither', '{"jsonrpc":"2.0","id":ID}', /neither a request nor an answer/],
  ['no version', '{"id":ID,"result":{}}', /'jsonrpc' must be/],
  ['a method, too', '{"jsonrpc":"2.0","id":ID,"method":"a","result":{}}', /A request has neither/],
  ['two results', '{"jsonrpc":"2.0","id":ID,"result":{},"result":{"a":1}}', /stands there twice/],
  ['Result beside result', '{"jsonrpc":"2.0","id":ID,"result":{},"Result":{}}', /read as 'result'/],
]

const FRAMES = [...ANSWERS, ...CROOKED].map(([, frame]) => frame)
const frames = join(home, 'frames.json')
await writeFile(frames, JSON.stringify(FRAMES))

interface Line {
  readonly wrapped: Wrapped
  received(): string
}

function stdio(): Line {
  const log = join(home, 'received.log')
  const wrapped = startWrapped(home, {
    command: [process.execPath, FRAME_SERVER, frames, log],
  })
  return { wrapped, received: () => (existsSync(log) ? readFileSync(log, 'utf8') : '') }
}

async function http(kind: 'JSON' | 'events'): Promise<Line> {
  const server = await scripted(({ body }, response) => {
    const asked = /"method":"vendor\/frame","params":\{"frame":(\d+)\}/.exec(body)
    const id = /"id":("[^"]*"|[^,}]+)/.exec(body)?.[1] ?? ''
    const frame = FRAMES[Number(asked?.[1])]?.replaceAll('ID', id)
    if (frame === undefined) response.writeHead(202).end()
    else if (kind === 'JSON') json(response, frame)
    else events(response, `data: ${frame}\n\n`).end()
  })
  const wrapped = startWrapped(home, { url: server.url })
  return { wrapped, received: () => server.got.map(({ body }) => `${body}\n`).join('') }
}

for (const [over, open] of [
  ['stdio', stdio],
  ['HTTP with JSON', () => http('JSON')],
  ['HTTP with events', () => http('events')],
] as const)
  test(`odd frames are the same at the other end: ${over}`, async () => {
    const { wrapped, received } = await open()
    after(() => wrapped.child.kill('SIGKILL'))
    const came = (line: string): Promise<true> =>
      eventually(
        () => (wrapped.lines.includes(line) ? true : undefined),
        () => `${line.slice(0, 200)}\n${wrapped.lines.map((one) => one.slice(0, 200)).join('\n')}`,
      )
    const reached = (line: string): Promise<true> =>
      eventually(
        () => (received().includes(`${line}\n`) ? true : undefined),
        () => `${line.slice(0, 200)}\n${received().slice(-400)}`,
      )
    for (const [index, [what, frame]] of ANSWERS.entries()) {
      wrapped.send(
        `{"jsonrpc":"2.0","id":${index},"method":"vendor/frame","params":{"frame":${index}}}`,
      )
      await came(frame.replaceAll('ID', String(index))).catch((error: unknown) => {
        throw new Error(what, { cause: error })
      })
    }
    for (const [what, id] of IDS) {
      wrapped.send(`{"jsonrpc":"2.0","id":${id},"method":"vendor/frame","params":{"frame":2}}`)
      await came(`{"jsonrpc":"2.0","id":${id},"result":{"n":1.0}}`).catch((error: unknown) => {
        throw new Error(what, { cause: error })
      })
    }
    // What an agent writes into a call has no name twice, by case or otherwise, at its top; inside it may.
    const asked = VALUES.map(
      ([, value]) =>
        `{"jsonrpc":"2.0","method":"notifications/vendor","params":{"x":${value}},"more":1.0}`,
    )
    for (const line of asked) wrapped.send(line)
    for (const line of asked) await reached(line)
    for (const [index, [what, , why]] of CROOKED.entries()) {
      const { error } = await wrapped.ask(`crooked ${index}`, 'vendor/frame', {
        frame: ANSWERS.length + index,
      })
      assert.equal(error?.code, -32603, what)
      assert.match(error.message, /^The server's answer is not valid\. /)
      assert.match(error.message, why)
    }
    assert.equal(await wrapped.end(), 0)
  })

test('what comes in one piece reaches the server in its order', async () => {
  const wrapped = startWrapped(home)
  after(() => wrapped.child.kill('SIGKILL'))
  await wrapped.call('first', 'echo', { text: 'loads what judges calls' })
  for (const round of [1, 2, 3]) {
    const call = (id: string): string =>
      `{"jsonrpc":"2.0","id":"${id} ${round}","method":"tools/call","params":{"name":"echo","arguments":{"text":"a"}}}`
    const piece = [
      call('a'),
      call('b'),
      `{"jsonrpc":"2.0","id":"c ${round}","method":"ping"}`,
      call('d'),
      '{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}',
      `{"jsonrpc":"2.0","id":"e ${round}","method":"tools/list","params":{}}`,
      call('f'),
    ]
    wrapped.send(piece.join('\n'))
    await wrapped.lineWith(`"f ${round}"`)
    const received = wrapped.received().trimEnd().split('\n')
    assert.deepEqual(received.slice(-piece.length), piece)
  }
  assert.equal(await wrapped.end(), 0)
})
