import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { type Figure, figureLine, missedFloors } from '../bench/report.ts'
import { localTraces, lockProblems } from '../scripts/check.ts'
import { table } from '../scripts/markdown.ts'

const root = resolve(import.meta.dirname, '..')
const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
  readonly allowScripts: Readonly<Record<string, boolean>>
}

test('house: every version is exact and only the package that brings Node may run at install', () => {
  const { dependencies, devDependencies, optionalDependencies, allowScripts } = packageJson
  for (const [name, version] of Object.entries({
    ...dependencies,
    ...devDependencies,
    ...optionalDependencies,
  }))
    assert.match(version, /^\d+\.\d+\.\d+(?:-[\w.]+)?$/, name)
  const permitted = Object.entries(allowScripts).filter(([, isAllowed]) => isAllowed)
  assert.deepEqual(permitted, [['node', true]])
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { hasInstallScript?: boolean; dev?: boolean; os?: string[] }>
  }
  for (const [place, one] of Object.entries(lock.packages)) {
    // What is for another operating system alone is not installed by npm.
    if (one.hasInstallScript !== true || one.os !== undefined) continue
    assert.equal(one.dev, true, `${place} runs a script where Sallyport is installed`)
    assert.ok(place.replace(/^.*node_modules\//, '') in allowScripts, place)
  }
})

test('house: nothing is fetched at install but packages with their digests, and nothing of this one runs there', () => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { integrity?: string }>
  }
  const fetched = Object.entries(lock.packages).filter(([place]) => place !== '')
  assert.ok(fetched.length > 0)
  for (const [place, { integrity }] of fetched) assert.match(integrity ?? '', /^sha512-/, place)
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'])
    assert.equal(packageJson.scripts[name], undefined, name)
})

test('house: each script that needs packages sets them up first', () => {
  const scripts = packageJson.scripts
  for (const name of Object.keys(scripts).filter((one) => !one.startsWith('pre')))
    assert.match(scripts[`pre${name}`] ?? '', /^node scripts\/setup\.mjs(?: --build)?$/, name)
})

test('lockProblems: an address in the lock file is named with its line', () => {
  assert.deepEqual(lockProblems('{\n  "resolved": "https://example.org/a.tgz"\n}'), [
    'package-lock.json:2: an address',
  ])
  assert.deepEqual(lockProblems('{ "resolved": "packages/a", "integrity": "sha512-x" }'), [])
})

// Joined at run time, so that this file does not hold what the check looks for.
const path = (...parts: readonly string[]): string => `/${parts.join('/')}`
const traces: readonly [what: string, file: string, text: string, found: readonly string[]][] = [
  ['a working folder', 'a.ts', `x = '${path('work', 'main')}'`, ['a.ts:1: a path of one machine']],
  ['a home', 'a.md', `\nsee ${path('home', 'zoe', 'x')}`, ['a.md:2: a path of one machine']],
  ['the home of root', 'a.md', path('root', '.npmrc'), ['a.md:1: a path of one machine']],
  ['a relative path', 'a.ts', `x = '.${path('work', 'main')}'`, []],
  ['a part of an address', 'a.md', `https://example.org${path('work', 'x')}`, []],
  ['a person of a test', 'a.test.ts', `x = '${path('home', 'ada', 'x')}'`, []],
  [
    'a registry',
    'a.json',
    `https:/${path('registry.example.org', 'a')}`,
    ['a.json:1: a registry address'],
  ],
]
for (const [what, file, text, found] of traces)
  test(`localTraces: ${what}`, () => assert.deepEqual(localTraces(file, text), found))

test('table: cells cannot break out of their column', () => {
  assert.equal(
    table(['a', 'b'], [['x|y', 'two\nlines']]),
    '| a | b |\n| --- | --- |\n| x\\|y | two lines |',
  )
})

const reads: Figure = {
  bench: 'vault',
  figure: 'reads',
  value: 12345.678,
  unit: '1/s',
  baseline: 20000,
}

test('figureLine: one JSON line with the ratio', () => {
  assert.equal(
    figureLine(reads),
    '{"bench":"vault","figure":"reads","value":12350,"unit":"1/s","baseline":20000,"ratio":0.6173}',
  )
  assert.equal(
    figureLine({ ...reads, baseline: null }),
    '{"bench":"vault","figure":"reads","value":12350,"unit":"1/s","baseline":null,"ratio":null}',
  )
})

const floors: readonly [
  what: string,
  floor: Parameters<typeof missedFloors>[1],
  missed: readonly string[],
][] = [
  ['none', {}, []],
  ['on the floor', { reads: { minValue: 12345.678 } }, []],
  ['above the floor', { reads: { minValue: 12000, minRatio: 0.5 } }, []],
  ['below the floor', { reads: { minValue: 15000 } }, ['reads is 12350 1/s, floor 15000']],
  ['below the ratio', { reads: { minRatio: 0.7 } }, ['reads is 0.6173 × the baseline, floor 0.7']],
  ['above a limit', { reads: { maxValue: 10 } }, ['reads is 12350 1/s, limit 10']],
  ['above a ratio', { reads: { maxRatio: 0.6 } }, ['reads is 0.6173 × the baseline, limit 0.6']],
  ['never measured', { writes: { minValue: 1 } }, ['writes was not measured']],
]
for (const [what, floor, missed] of floors)
  test(`missedFloors: ${what}`, () => assert.deepEqual(missedFloors([reads], floor), missed))

test('missedFloors: a ratio without a baseline does not hold', () => {
  assert.deepEqual(missedFloors([{ ...reads, baseline: null }], { reads: { minRatio: 0.1 } }), [
    'reads has no baseline',
  ])
})
