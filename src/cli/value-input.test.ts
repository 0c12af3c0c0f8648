import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { memoryIo, memoryStreams } from '../../test/support/streams.ts'
import { SecretText } from '../core/secret-text.ts'
import { readValue, type ValueOptions } from './value-input.ts'

const folder = mkdtempSync(join(tmpdir(), 'sallyport-value-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const plain: ValueOptions = { file: undefined, keepNewline: false, encoding: undefined }
const noPrompt = {
  promptHidden: (): Promise<SecretText> => assert.fail('nobody is to be asked here'),
}

async function piped(stdin: string | Buffer, options: Partial<ValueOptions> = {}): Promise<Buffer> {
  const io = memoryIo(memoryStreams({ stdin }))
  const value = await readValue({ ...plain, ...options }, io, noPrompt, 'Value')
  return Buffer.from(value.revealBytes())
}

const newlines: readonly [what: string, given: string, kept: boolean, value: string][] = [
  ['none', 'abc', false, 'abc'],
  ['one is taken off', 'abc\n', false, 'abc'],
  ['exactly one', 'abc\n\n', false, 'abc\n'],
  ['the one of Windows', 'abc\r\n', false, 'abc'],
  ['a return alone is part of the value', 'abc\r', false, 'abc\r'],
  ['one at the start stays', '\nabc', false, '\nabc'],
  ['kept on request', 'abc\n', true, 'abc\n'],
]
for (const [what, given, keepNewline, value] of newlines)
  test(`newline at the end: ${what}`, async () =>
    assert.equal((await piped(given, { keepNewline })).toString(), value))

test('64 KiB fit, with the newline that does not count; one byte more does not', async () => {
  assert.equal((await piped('x'.repeat(65_536))).length, 65_536)
  assert.equal((await piped(`${'x'.repeat(65_536)}\n`)).length, 65_536)
  for (const size of [65_537, 65_539, 1_000_000])
    await assert.rejects(piped('x'.repeat(size)), {
      code: 'TOO_LARGE',
      message: 'The value is larger than 65536 bytes; nothing was stored.',
    })
  await assert.rejects(piped(`${'x'.repeat(65_536)}\n`, { keepNewline: true }), {
    code: 'TOO_LARGE',
  })
})

test('nothing, or only a newline, is no value', async () => {
  await assert.rejects(piped(''), { code: 'INPUT_EMPTY' })
  await assert.rejects(piped('\n'), { code: 'INPUT_EMPTY' })
})

test('bytes come through as they are', async () => {
  const bytes = Buffer.from([0, 255, 10, 128, 13])
  assert.deepEqual(await piped(bytes), bytes)
})

test('base64 is decoded, line ends and all, and measured after that', async () => {
  const bytes = randomBytes(65_536)
  const lines = bytes.toString('base64').replaceAll(/(.{76})/g, '$1\n')
  assert.deepEqual(await piped(lines, { encoding: 'base64' }), bytes)
  await assert.rejects(piped(randomBytes(65_537).toString('base64'), { encoding: 'base64' }), {
    code: 'TOO_LARGE',
  })
  for (const bad of ['a', 'ab=c', 'a===', 'ab-_', '====', '!'])
    await assert.rejects(piped(bad, { encoding: 'base64' }), { code: 'BAD_INPUT' }, bad)
})

test('a file is taken byte for byte', async () => {
  const file = join(folder, 'key.bin')
  writeFileSync(file, Buffer.from([1, 0, 255, 10]))
  assert.deepEqual(await piped('not read', { file }), Buffer.from([1, 0, 255, 10]))
})

test('a file that is too large, missing or a folder is refused by name', async () => {
  const large = join(folder, 'large')
  writeFileSync(large, Buffer.alloc(65_537))
  await assert.rejects(piped('', { file: large }), { code: 'TOO_LARGE' })
  await assert.rejects(piped('', { file: join(folder, 'none') }), {
    code: 'BAD_INPUT',
    message: `There is no file '${join(folder, 'none')}'.`,
  })
  await assert.rejects(piped('', { file: folder }), { code: 'BAD_INPUT' })
})

test('a named pipe is read to its end', { skip: process.platform === 'win32' }, async () => {
  const fifo = join(folder, 'fifo')
  execFileSync('mkfifo', [fifo])
  const [value] = await Promise.all([piped('', { file: fifo }), writeFile(fifo, 'from a pipe\n')])
  assert.equal(value.toString(), 'from a pipe\n')
})

test('on a terminal the person is asked, and stdin is left alone', async () => {
  const io = memoryIo(memoryStreams({ isTerminal: true, stdin: 'typed before\n' }))
  const asked: string[] = []
  const deps = {
    promptHidden: async (text: string) => {
      asked.push(text)
      return SecretText.fromText('typed\n')
    },
  }
  const value = await readValue(plain, io, deps, 'Value for a/b')
  assert.deepEqual(asked, ['Value for a/b'])
  assert.equal(value.reveal(), 'typed\n')
  await assert.rejects(readValue({ ...plain, encoding: 'base64' }, io, deps, ''), {
    code: 'BAD_INPUT',
  })
})
