import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { type AskOptions, createAskSecret, DIALOGS } from '../../src/ask/index.ts'
import type { SecretQuestion } from '../../src/core/ask-port.ts'
import { type Display, startDisplay } from '../support/display.ts'
import { programMissing } from '../support/require.ts'

const TITLE = 'Sallyport asks you for a secret'
const VALUE = 'p@ss w0rd "quo$te\\ é %41'
const TRAP = '/tmp/sallyport-test-trap'
const HOSTILE: SecretQuestion = {
  client: '--title=evil <b>bold</b>',
  project: '/home/ada/my_shop & co',
  vault: 'default',
  path: 'api_keys/stripe_live',
  replacesVersion: 3,
  agentText: `"; $(touch ${TRAP}) \\" \`touch ${TRAP}\` <b>&amp;</b> \\n %0A %n _x <img src=x>`,
}

const noDisplay =
  programMissing('Xvfb', 'apt-get install xvfb') ||
  programMissing('xdotool', 'apt-get install xdotool')
const PROGRAMS: readonly [
  program: string,
  id: (typeof DIALOGS)[number]['id'],
  via: string,
  install: string,
][] = [
  ['zenity', 'zenity', 'dialog', 'apt-get install zenity'],
  ['kdialog', 'kdialog', 'dialog', 'apt-get install kdialog'],
  ['pinentry-gtk-2', 'pinentry', 'pinentry', 'apt-get install pinentry-gtk2'],
]

const never = new AbortController().signal

// Side by side, each on a display of its own: most of the time they wait for the person.
describe('dialogs', { concurrency: true }, () => {
  for (const [program, id, via, install] of PROGRAMS)
    describe(program, { concurrency: false }, () => {
      const skip = noDisplay || programMissing(program, install)
      let display: Display
      before(async () => {
        if (skip === false) display = await startDisplay()
      })
      after(async () => {
        await display?.stop()
      })
      const options = (changes: Partial<AskOptions> = {}): AskOptions => ({
        env: { DISPLAY: display.name },
        dialogs: DIALOGS.filter((dialog) => dialog.id === id),
        findProgram: (name) => (name === program ? `/usr/bin/${program}` : null),
        terminal: () => Promise.resolve({ kind: 'failed', reason: 'not on a terminal' }),
        timeoutMs: 30_000,
        ...changes,
      })

      test(`${program}: what is typed arrives byte for byte, under a hostile prompt`, {
        skip,
      }, async () => {
        const asking = createAskSecret(options())(HOSTILE, never)
        await display.type(TITLE, VALUE, 'Return')
        const { value, via: way } = await asking
        assert.equal(value.reveal(), VALUE)
        assert.equal(way, via)
        assert.equal(existsSync(TRAP), false)
      })

      test(`${program}: Escape cancels`, { skip }, async () => {
        const asking = assert.rejects(createAskSecret(options())(HOSTILE, never), {
          code: 'INPUT_CANCELLED',
          message: "The person cancelled entering 'api_keys/stripe_live'.",
        })
        await display.type(TITLE, '', 'Escape')
        await asking
      })

      test(`${program}: nothing typed is empty`, { skip }, async () => {
        const asking = assert.rejects(createAskSecret(options())(HOSTILE, never), {
          code: 'INPUT_EMPTY',
        })
        await display.type(TITLE, '', 'Return')
        await asking
      })

      test(`${program}: nobody answers`, { skip }, async () => {
        const ask = createAskSecret(options({ timeoutMs: 1_500 }))
        await assert.rejects(ask(HOSTILE, never), { code: 'INPUT_TIMED_OUT' })
      })

      test(`${program}: withdrawn while it is open`, { skip }, async () => {
        const abort = new AbortController()
        const asking = assert.rejects(createAskSecret(options())(HOSTILE, abort.signal), {
          code: 'INPUT_CANCELLED',
          message: "The question for 'api_keys/stripe_live' was withdrawn.",
        })
        await display.windowOf(TITLE)
        abort.abort()
        await asking
      })

      test(`${program}: a display that is not there passes on to the next way`, {
        skip,
      }, async () => {
        const ask = createAskSecret(options({ env: { DISPLAY: ':4711' } }))
        await assert.rejects(ask(HOSTILE, never), {
          code: 'INPUT_UNAVAILABLE',
          message:
            'Nobody can be asked from here; have the person run: sallyport secret put api_keys/stripe_live',
        })
      })
    })
})
