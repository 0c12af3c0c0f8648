import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { readFd } from '../../src/ask/index.ts'
import { sleep } from '../../src/core/time.ts'
import { programMissing } from '../support/require.ts'
import { compiledCode } from '../support/serving.ts'

const skip = programMissing('script', 'apt-get install bsdutils')
const CHILD = fileURLToPath(new URL('../support/ask-child.ts', import.meta.url))

type Step = readonly [waitFor: RegExp, type: string]

/** Runs the child on a terminal of its own; types each text once its prompt is there. @returns all that was shown */
async function onTerminal(ask: string, steps: readonly Step[], before = ''): Promise<string> {
  const command = `${before}exec '${process.execPath}' '${CHILD}' ${ask}`
  const script = spawn('script', ['-qfec', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...compiledCode(),
      PATH: '/usr/bin:/bin',
      TERM: 'xterm',
      SHELL: '/bin/sh',
      LANG: 'C.UTF-8',
    },
  })
  const exited = once(script, 'exit')
  let shown = ''
  let from = 0
  script.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString('utf8')
  })
  for (const [waitFor, text] of steps) {
    while (!waitFor.test(shown.slice(from))) {
      assert.equal(script.exitCode, null, `ended before ${waitFor}: ${shown}`)
      await sleep(20)
    }
    from = shown.length
    script.stdin.write(text)
  }
  await exited
  return shown
}

const got = (text: string): string => `GOT ${Buffer.from(text).toString('base64')} RESTORED.`

const cases: readonly [what: string, ask: string, steps: readonly Step[], ends: string][] = [
  ['a line', 'prompt', [[/Value: /, 'p@ss w0rd "quo$te\\ é\r']], got('p@ss w0rd "quo$te\\ é')],
  ['Backspace takes a whole character', 'prompt', [[/Value: /, 'aé\u007fb\r']], got('ab')],
  ['Ctrl-U starts over', 'prompt', [[/Value: /, 'wrong\u0015right\r']], got('right')],
  ['arrow keys are nothing', 'prompt', [[/Value: /, 'a\u001b[D\u001bOPb\r']], got('ab')],
  [
    'a bracketed paste keeps its lines',
    'prompt',
    [[/Value: /, '\u001b[200~-----BEGIN\rabc\r-----END\r\u001b[201~\r']],
    got('-----BEGIN\nabc\n-----END\n'),
  ],
  ['a plain paste keeps its lines', 'prompt', [[/Value: /, 'one\rtwo\r']], got('one\ntwo')],
  ['Ctrl-C', 'prompt', [[/Value: /, 'typed\u0003']], 'FAULT INPUT_CANCELLED RESTORED.'],
  ['Ctrl-D at the start', 'prompt', [[/Value: /, '\u0004']], 'FAULT INPUT_CANCELLED RESTORED.'],
  ['Ctrl-D after text', 'prompt', [[/Value: /, 'text\u0004']], got('text')],
  ['nothing', 'prompt', [[/Value: /, '\r']], 'FAULT INPUT_EMPTY RESTORED.'],
  [
    'the largest value',
    'prompt',
    [[/Value: /, `${'a'.repeat(65_536)}\r`]],
    got('a'.repeat(65_536)),
  ],
  ['too long', 'prompt', [[/Value: /, 'a'.repeat(66_000)]], 'FAULT INPUT_TOO_LONG RESTORED.'],
  ['time-out', 'short-time', [], 'FAULT INPUT_TIMED_OUT RESTORED.'],
  ['a secret without a display', 'secret', [[/Value: /, 's3cret\r']], got('s3cret')],
  [
    'a new passphrase that differs, then twice the same',
    'new-presence',
    [
      [/passphrase: /, 'birch-owl\r'],
      [/passphrase again: /, 'maple-fox\r'],
      [/did not match[^]*passphrase: /, 'cedar-elk\r'],
      [/passphrase again: /, 'cedar-elk\r'],
    ],
    got('cedar-elk'),
  ],
  [
    'pinentry-tty',
    'pinentry-tty',
    [[/Ask %41 for[^]*Value:/, 'p@ss %41 "quo$te\\ é\r']],
    got('p@ss %41 "quo$te\\ é'),
  ],
]
for (const [what, ask, steps, ends] of cases)
  test(`terminal: ${what}`, {
    skip:
      skip ||
      (ask === 'pinentry-tty' && programMissing('pinentry-tty', 'apt-get install pinentry-tty')),
  }, async () => {
    const shown = await onTerminal(ask, steps)
    assert.ok(shown.trimEnd().endsWith(ends), JSON.stringify(shown.slice(-300)))
    for (const [, text] of steps) {
      const typed = text.replaceAll('\r', '').replaceAll('\u0003', '').replaceAll('\u0004', '')
      if (typed.length > 2) assert.ok(!shown.includes(typed), 'nothing typed is shown')
    }
  })

test('terminal: what an agent wrote cannot move the cursor', { skip }, async () => {
  const shown = await onTerminal('secret', [[/Value: /, 's3cret\r']])
  assert.match(shown, /The agent wrote:\r\n“evil\[U\+001B\]\[2J”/)
})

test('terminal: one that a program with a screen reads is left alone', { skip }, async () => {
  const shown = await onTerminal('secret', [], 'stty -icanon; ')
  assert.match(shown, /FAULT INPUT_UNAVAILABLE/)
})

test('terminal: none at all', {
  skip: programMissing('setsid', 'apt-get install util-linux'),
}, async () => {
  const child = spawn('setsid', ['-w', process.execPath, CHILD, 'secret'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let shown = ''
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString('utf8')
  })
  await once(child, 'close')
  assert.match(shown, /^FAULT INPUT_UNAVAILABLE/)
})

const lines: readonly [what: string, bytes: string, read: readonly string[]][] = [
  ['a line', 'pass phrase\n', ['pass phrase']],
  ['no line end', 'pass', ['pass']],
  ['CR LF', 'pass\r\n', ['pass']],
  ['two lines, two reads', 'one\ntwo\n', ['one', 'two']],
  ['the longest', `${'a'.repeat(65_536)}\n`, ['a'.repeat(65_536)]],
]
const folder = mkdtempSync(join(tmpdir(), 'sallyport-fd-'))
test.after(() => rmSync(folder, { recursive: true }))
for (const [at, [what, bytes, read]] of lines.entries())
  test(`readFd: ${what}`, async () => {
    writeFileSync(join(folder, String(at)), bytes)
    const fd = openSync(join(folder, String(at)), 'r')
    for (const one of read) assert.equal((await readFd(fd)).reveal(), one)
    await assert.rejects(readFd(fd), { code: 'INPUT_EMPTY' })
  })

test('readFd: too long, not open, not a number', async () => {
  writeFileSync(join(folder, 'long'), 'a'.repeat(65_537))
  await assert.rejects(readFd(openSync(join(folder, 'long'), 'r')), { code: 'INPUT_TOO_LONG' })
  await assert.rejects(readFd(9_999), { code: 'BAD_INPUT' })
  await assert.rejects(readFd(-1), { code: 'BAD_INPUT' })
  await assert.rejects(readFd(1.5), { code: 'BAD_INPUT' })
})
