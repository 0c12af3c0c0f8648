import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Answer,
  checked,
  isSafe,
  keyOf,
  literalsOf,
  type OwnPattern,
  ownPatterns,
  readRecord,
  recheckVersion,
} from './patterns.ts'

const CURE = 'run node scripts/check-patterns.ts'

const own = ownPatterns()
const record = readRecord()

test('patterns: the record holds what the sources hold, every one safe', () => {
  assert.equal(record.recheck, recheckVersion(), CURE)
  assert.deepEqual(Object.keys(record.patterns), own.map(keyOf), CURE)
  assert.deepEqual(
    Object.entries(record.patterns).filter(([, answer]) => !isSafe(answer)),
    [],
  )
})

/** Of the patterns that take recheck long, so many a folder are asked again: the shortest, which take the least. */
const SLOW_ONES_OF_A_FOLDER = 2

/** `detectors/social`, `decode`; the domain itself for what stands in it and for what is built. */
function folderOf({ files }: OwnPattern): string {
  return files[0]?.split('/').slice(0, -1).join('/') ?? ''
}

function askedAgain(): readonly OwnPattern[] {
  const isQuick = (one: OwnPattern): boolean =>
    record.patterns[keyOf(one)]?.endsWith(' automaton') === true
  const slow = own
    .filter((one) => !isQuick(one))
    .toSorted((a, b) => a.source.length - b.source.length)
  const ofFolders = [...Map.groupBy(slow, folderOf).values()].flatMap((of) =>
    of.slice(0, SLOW_ONES_OF_A_FOLDER),
  )
  return [...own.filter(isQuick), ...ofFolders]
}

test('patterns: what recheck says today of those it is quick with, and of some others', async () => {
  const answers = new Map<string, Answer>()
  for (const one of askedAgain()) answers.set(keyOf(one), await checked(one))
  assert.ok(answers.size > 100, 'most patterns are quick')
  assert.deepEqual(
    [...answers].filter(([, answer]) => !isSafe(answer)),
    [],
  )
})

test('recheck tells a pattern that is not linear', async () => {
  const source = '[a-z]{1,64}[a-z0-9]{1,64}x'
  assert.equal(await checked({ source, flags: 'g' }, 1), 'vulnerable by fuzz')
  assert.equal(await checked({ source, flags: 'y' }, 1), 'safe by fuzz')
  assert.equal(await checked({ source: '\\s+$', flags: '' }, 1), 'vulnerable by automaton')
})

test('the patterns of a source are its literals, and nothing that only looks like one', () => {
  assert.deepEqual(literalsOf("const a: RegExp = /a+/g\n1 / 2 / 3\n'/b/'\nf(/c/u, /* /d/ */ 1)"), [
    { source: 'a+', flags: 'g' },
    { source: 'c', flags: 'u' },
  ])
})
