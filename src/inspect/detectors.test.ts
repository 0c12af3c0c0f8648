import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { findEncoded } from './decode.ts'
import type { Detector, Sample, Scene } from './detector.ts'
import { detectors as joined } from './detectors/index.ts'
import { createEngine } from './engine.ts'
import type { Kind } from './finding.ts'

/** What the families export, joined or not: a detector that nobody joined would be tested and never used. */
async function ofFamilies(): Promise<readonly Detector[]> {
  const files = globSync('detectors/*/index.ts', { cwd: import.meta.dirname }).toSorted()
  const lists = await Promise.all(
    files.map(async (file) => {
      const exported: object = await import(pathToFileURL(join(import.meta.dirname, file)).href)
      return Object.values(exported).filter((one) => Array.isArray(one)) as (readonly Detector[])[]
    }),
  )
  return [...new Set(lists.flat(2))]
}

const detectors = await ofFamilies()

const textOf = (sample: Sample): string => (typeof sample === 'string' ? sample : sample.text)
const kindOf = (sample: Sample): Kind => (typeof sample === 'string' ? 'text' : sample.kind)
const shown = (sample: Sample): string => JSON.stringify(textOf(sample).slice(0, 120))

/** Three units, of which none is a capital; two that are no letters or digits of ASCII. */
const KEYWORD = /^(?:[^A-Z]{3,}|[^A-Za-z0-9]{2})$/u

for (const detector of detectors) {
  test(`detector ${detector.id}: its samples`, () => {
    // Through an engine, so that its keywords have to wake it.
    const engine = createEngine([detector], findEncoded)
    const isFound = (sample: Sample): boolean =>
      engine
        .inspect(textOf(sample), { kind: kindOf(sample) })
        .some((one) => one.detector === detector.id && one.confidence >= 0.5)
    assert.ok(detector.catches.length >= 1, 'has samples that it catches')
    assert.ok(detector.ignores.length >= 1, 'has samples that it ignores')
    for (const sample of detector.catches) assert.ok(isFound(sample), `catches ${shown(sample)}`)
    for (const sample of detector.ignores) assert.ok(!isFound(sample), `ignores ${shown(sample)}`)
  })
}

test('detectors are told apart by their ids, and their fields make sense', () => {
  const ids = detectors.map((one) => one.id)
  assert.deepEqual(
    ids.filter((id, at) => ids.indexOf(id) !== at),
    [],
  )
  assert.deepEqual(
    joined.map((one) => one.id).toSorted(),
    ids.toSorted(),
    'detectors/index.ts joins all families',
  )
  for (const one of detectors) {
    assert.match(one.id, /^[a-z0-9]+(?:-[a-z0-9]+)*$/)
    assert.ok(one.confidence > 0 && one.confidence <= 1, one.id)
    assert.ok(one.summary.length > 5 && one.source.length > 3, one.id)
    for (const keyword of [...one.needs, ...(one.starts ?? [])])
      assert.match(keyword, KEYWORD, one.id)
  }
})

const MEGABYTE = 1_000_000
/** For one detector that looks at the whole of it. */
const LIMIT_MS = 400
/** Looked at first, the least at the beginning: what takes little of a part stays below the limit of the whole. */
const PARTS = [8, 4, 2] as const

const FILLERS: readonly string[] = ['a', ' ', '"\\', '/.', '=1', 'я\u200d\ud800']

/** What texts are made of that begin like a match and never end like one. Without its keywords a detector sleeps. */
function hostileSeeds({ needs, starts = [], catches }: Detector): readonly string[] {
  const keywords = [...needs, ...starts]
  const seeds = [
    ...keywords.slice(0, 1),
    ...catches.slice(0, 1).map((sample) => textOf(sample).slice(0, -1)),
    ...catches.slice(-1).map((sample) => textOf(sample).slice(0, textOf(sample).length >> 1)),
    ...(keywords.length === 0 ? FILLERS : []),
  ].filter((seed) => seed !== '')
  return [...new Set(seeds)]
}

function cpuMs(work: () => void): number {
  const start = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1_000
}

for (const detector of detectors) {
  test(`detector ${detector.id}: time on hostile text`, () => {
    const kind = detector.kinds?.[0] ?? 'text'
    const scene: Scene = { kind, via: [] }
    const timed = (text: string): number => cpuMs(() => detector.find(text, 0, text.length, scene))
    for (const seed of hostileSeeds(detector)) {
      const ofLength = (length: number): string => seed.repeat(Math.ceil(length / seed.length))
      // Also if it takes time by the square of the length.
      const isQuick = PARTS.some((part) => {
        const limit = LIMIT_MS / part ** 2
        const text = ofLength(MEGABYTE / part)
        return timed(text) < limit || timed(text) < limit
      })
      if (isQuick) continue
      const text = ofLength(MEGABYTE)
      const first = timed(text)
      // A slow first run may be the machine's; two are the pattern's.
      const ms = first < LIMIT_MS ? first : Math.min(first, timed(text))
      assert.ok(ms < LIMIT_MS, `${ms.toFixed(0)} ms on ${JSON.stringify(text.slice(0, 60))}…`)
    }
  })
}
