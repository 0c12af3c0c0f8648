import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFault } from '../core/faults.ts'
import { command } from './command.ts'
import { parseWords, usageOf } from './parse.ts'

const wide = command({
  name: 'thing do',
  summary: 'Do a thing.',
  arguments: [
    { name: 'path', summary: 'where' },
    { name: 'mode', summary: 'how', optional: true, choices: ['on', 'off'] },
  ],
  options: {
    envFile: { summary: 'files', short: 'f', value: 'FILE', repeats: true },
    onMissing: { summary: 'then', value: 'MODE', choices: ['error', 'keep'] },
    ifVersion: { summary: 'when', value: 'N' },
    loud: { summary: 'noise' },
  },
  async run() {},
})

const through = command({
  name: 'run',
  summary: 'Run.',
  arguments: [{ name: 'cmd', summary: 'what', repeats: true }],
  options: { env: { summary: 'more', value: 'NAME=VALUE', repeats: true } },
  passThrough: true,
  json: false,
  async run() {},
})

test('an option that is needed is said in the usage, and missed', () => {
  const needy = command({
    name: 'thing give',
    summary: 'Give a thing.',
    arguments: [{ name: 'who', summary: 'whom' }],
    options: { madeFor: { summary: 'what for', value: 'TEXT', needed: true } },
    async run() {},
  })
  assert.equal(usageOf(needy), 'sallyport thing give [options] --made-for TEXT WHO')
  assert.equal(parseWords(needy, ['x', '--made-for', 'y']).args['madeFor'], 'y')
  assert.throws(
    () => parseWords(needy, ['x']),
    (error) => isFault(error, 'BAD_USAGE') && error.message === '--made-for is missing.',
  )
})

test('an option that counts once is not given twice, however it is written', () => {
  for (const words of [
    ['a/b', '--if-version', '1', '--if-version', '2'],
    ['a/b', '--if-version=1', '--if-version=1'],
  ])
    assert.throws(
      () => parseWords(wide, words),
      (error) => isFault(error, 'BAD_USAGE') && error.message === '--if-version is given twice.',
    )
  assert.equal(parseWords(wide, ['a/b', '--loud', '--loud']).args['loud'], true)
})

const nothing = {
  mode: undefined,
  envFile: [],
  onMissing: undefined,
  ifVersion: undefined,
  loud: false,
}

const read: readonly [what: string, words: string[], args: object, json: boolean][] = [
  ['an argument alone', ['a/b'], { ...nothing, path: 'a/b' }, false],
  ['an optional argument', ['a/b', 'on'], { ...nothing, path: 'a/b', mode: 'on' }, false],
  ['--json anywhere', ['--json', 'a/b'], { ...nothing, path: 'a/b' }, true],
  [
    'a repeated option keeps its order',
    ['a', '--env-file', '2', '-f', '1', '--env-file=3'],
    { ...nothing, path: 'a', envFile: ['2', '1', '3'] },
    false,
  ],
  ['a choice', ['a', '--on-missing', 'keep'], { ...nothing, path: 'a', onMissing: 'keep' }, false],
  ['a switch', ['--loud', 'a'], { ...nothing, path: 'a', loud: true }, false],
  [
    'a value that begins with a dash',
    ['a', '--if-version', '-1'],
    { ...nothing, path: 'a', ifVersion: '-1' },
    false,
  ],
  ['an empty value', ['a', '--if-version='], { ...nothing, path: 'a', ifVersion: '' }, false],
  [
    'names of Object.prototype are plain words',
    ['constructor'],
    { ...nothing, path: 'constructor' },
    false,
  ],
  ['what follows -- is an argument', ['--', '--loud'], { ...nothing, path: '--loud' }, false],
]
for (const [what, words, args, json] of read)
  test(`parseWords: ${what}`, () =>
    assert.deepEqual(parseWords(wide, words), { args, json, help: false }))

test('parseWords: everything from the first argument on is passed through', () => {
  assert.deepEqual(
    parseWords(through, ['--env', 'A=1', 'npm', 'test', '--env', 'x', '--help']).args,
    {
      env: ['A=1'],
      cmd: ['npm', 'test', '--env', 'x', '--help'],
    },
  )
  assert.deepEqual(parseWords(through, ['--', 'ls', '--json']).args, {
    env: [],
    cmd: ['ls', '--json'],
  })
})

test('parseWords: help needs no arguments', () => {
  assert.equal(parseWords(wide, ['--help']).help, true)
  assert.equal(parseWords(wide, ['a', '-h']).help, true)
})

const refused: readonly [what: string, words: string[], message: string][] = [
  ['no argument', [], "'sallyport thing do' needs PATH."],
  ['too many', ['a', 'on', 'SECRET'], "'sallyport thing do' was given too many arguments."],
  ['an unknown option', ['a', '--wrong'], "'sallyport thing do' has no option '--wrong'."],
  [
    'a mistyped option',
    ['a', '--env-flie', 'x'],
    "'sallyport thing do' has no option '--env-flie'. Did you mean --env-file?",
  ],
  [
    'a value glued to an unknown option is not repeated',
    ['a', '--value=SECRET'],
    "'sallyport thing do' has no option '--value'.",
  ],
  ['an option without its value', ['a', '--if-version'], '--if-version needs a value.'],
  [
    'a choice that is none',
    ['a', '--on-missing', 'SECRET'],
    '--on-missing must be one of: error, keep.',
  ],
  ['an argument that is no choice', ['a', 'SECRET'], 'MODE must be one of: on, off.'],
  ['a value for a switch', ['a', '--loud=SECRET'], '--loud takes no value.'],
]
for (const [what, words, message] of refused)
  test(`parseWords refuses ${what}`, () =>
    assert.throws(
      () => parseWords(wide, words),
      (error: unknown) => {
        assert.ok(isFault(error, 'BAD_USAGE'))
        assert.equal(error.message, message)
        assert.ok(!JSON.stringify(error.details).includes('SECRET'))
        return true
      },
    ))

test('usage names every argument', () => {
  assert.equal(usageOf(wide), 'sallyport thing do [options] PATH [MODE]')
  assert.equal(usageOf(through), 'sallyport run [options] CMD…')
})
