import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDesktopNotice, type DesktopNoticeOptions, NOTICE_SCRIPT } from './desktop-notice.ts'
import type { ProgramRun } from './run-program.ts'

/** Keeps how programs were started; they end well. */
function desktop(platform: NodeJS.Platform, change: DesktopNoticeOptions = {}) {
  const runs: ProgramRun[] = []
  const notice = createDesktopNotice({
    platform,
    env: { DISPLAY: ':1', LD_PRELOAD: '/tmp/evil.so', PATH: '/tmp' },
    findProgram: (program) => (program.includes('/') ? program : `/usr/bin/${program}`),
    run: (run) => {
      runs.push(run)
      return Promise.resolve({
        kind: 'exited',
        exitCode: 0,
        stdout: Buffer.alloc(0),
        stderr: '',
      })
    },
    now: () => runs.length * 10_000,
    ...change,
  })
  return { notice, runs }
}

test('notice: what others wrote is neither an option nor markup nor a line of its own', async () => {
  const { notice, runs } = desktop('linux')
  assert.equal(await notice('--icon=/x', 'a <b>bold</b>\n& \u202eevil'), true)
  assert.deepEqual(
    runs.map(({ file, args }) => [file, ...args]),
    [
      [
        '/usr/bin/notify-send',
        '--app-name=Sallyport',
        '--',
        '--icon=/x',
        'a &lt;b&gt;bold&lt;/b&gt;⏎&amp; [U+202E]evil',
      ],
    ],
  )
  assert.equal(runs[0]?.env['LD_PRELOAD'], undefined)
  assert.equal(runs[0]?.env['PATH'], '/usr/bin:/bin')
})

test('notice: on a Mac the script is constant', async () => {
  const { notice, runs } = desktop('darwin')
  await notice('title', 'text & <b>')
  const [run] = runs
  assert.deepEqual(
    [run?.file, ...(run?.args ?? [])],
    ['/usr/bin/osascript', '-', 'title', 'text & <b>'],
  )
  assert.equal(Buffer.from(run?.stdin ?? []).toString(), NOTICE_SCRIPT)
})

const silent: readonly [what: string, platform: NodeJS.Platform, change: DesktopNoticeOptions][] = [
  ['without a display', 'linux', { env: {} }],
  ['without the program', 'linux', { findProgram: () => null }],
  ['on Windows', 'win32', {}],
  [
    'when it fails',
    'linux',
    { run: () => Promise.resolve({ kind: 'not-started', reason: 'gone' }) },
  ],
]
for (const [what, platform, change] of silent)
  test(`notice: nothing is shown ${what}`, async () =>
    assert.equal(await desktop(platform, change).notice('a', 'b'), false))

test('notice: a flood is shown once', async () => {
  let at = 0
  const { notice, runs } = desktop('linux', { now: () => at })
  for (let i = 0; i < 10; i += 1) await notice('a', `${i}`)
  at = 2_000
  await notice('a', 'later')
  assert.deepEqual(
    runs.map(({ args }) => args.at(-1)),
    ['0', 'later'],
  )
})
