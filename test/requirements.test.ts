import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { REQUIREMENTS } from './requirements.ts'
import type { Requirement } from './support/requirement.ts'

const root = resolve(import.meta.dirname, '..')

function sourceOf(file: string): string | null {
  try {
    return readFileSync(join(root, file), 'utf8')
  } catch {
    // A test that is claimed but not there.
    return null
  }
}

/** What is wrong with the claims of one row. A name counts when the file quotes it as a whole string. */
function claimProblems(
  { id, status, tests }: Requirement,
  read: (file: string) => string | null,
): readonly string[] {
  if (status === 'done' && tests.length === 0) return [`${id} is done without a test`]
  return tests.flatMap((claim) => {
    const [file = '', ...rest] = claim.split('#')
    const name = rest.join('#')
    if (name === '') return [`${id}: '${claim}' is not file#name`]
    if (!file.endsWith('.test.ts')) return [`${id}: '${file}' is not a test file`]
    const text = read(file)
    if (text === null) return [`${id}: there is no file '${file}'`]
    const quoted = ["'", '"', '`'].some((quote) =>
      text.includes(quote + name.replaceAll(quote, `\\${quote}`) + quote),
    )
    return quoted ? [] : [`${id}: '${file}' has no test named '${name}'`]
  })
}

test('requirements: every claim names a test that exists', () => {
  assert.deepEqual(
    REQUIREMENTS.flatMap((one) => claimProblems(one, sourceOf)),
    [],
  )
})

test('requirements: every id of the product is there once', () => {
  const counts = new Map<string, number>()
  for (const { id } of REQUIREMENTS) {
    const family = id.split('-')[0]!
    counts.set(family, (counts.get(family) ?? 0) + 1)
    assert.equal(id, `${family}-${counts.get(family)}`)
  }
  assert.deepEqual(Object.fromEntries(counts), {
    CS: 6,
    PL: 8,
    PI: 9,
    PD: 72,
    OC: 16,
    BY: 10,
  })
})

const row = { id: 'XX-1', sentence: 's', status: 'done', tests: [] } as const
const files = (file: string): string | null =>
  file === 'test/a.test.ts' ? "test('it holds', () => {})\ntest(\"it's so\", () => {})" : null
const claims: readonly [what: string, row: Requirement, problems: readonly string[]][] = [
  ['done without a test', row, ['XX-1 is done without a test']],
  ['open without a test', { ...row, status: 'open' }, []],
  ['a test that exists', { ...row, tests: ['test/a.test.ts#it holds'] }, []],
  ['a name with a quote', { ...row, tests: ["test/a.test.ts#it's so"] }, []],
  [
    'half of a name',
    { ...row, tests: ['test/a.test.ts#it hold'] },
    ["XX-1: 'test/a.test.ts' has no test named 'it hold'"],
  ],
  [
    'a file that is not there',
    { ...row, tests: ['test/b.test.ts#it holds'] },
    ["XX-1: there is no file 'test/b.test.ts'"],
  ],
  ['no name', { ...row, tests: ['test/a.test.ts'] }, ["XX-1: 'test/a.test.ts' is not file#name"]],
  ['not a test', { ...row, tests: ['src/a.ts#it holds'] }, ["XX-1: 'src/a.ts' is not a test file"]],
]
for (const [what, claim, problems] of claims)
  test(`requirements: ${what}`, () => assert.deepEqual(claimProblems(claim, files), problems))
