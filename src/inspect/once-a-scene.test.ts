import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Scene } from './detector.ts'
import { onceAScene } from './once-a-scene.ts'

test('onceAScene: the same stretch of the text of a scene is read once', () => {
  const read: string[] = []
  const lengthOf = onceAScene((text, from, to, { kind }) => {
    read.push(`${kind} ${text} ${from} ${to}`)
    return to - from
  })
  const scene: Scene = { kind: 'prose', via: [] }
  const other: Scene = { kind: 'prose', via: [] }
  assert.equal(lengthOf('abc', 0, 3, scene), 3)
  assert.equal(lengthOf('abc', 0, 3, scene), 3)
  assert.deepEqual(read, ['prose abc 0 3'])
  assert.equal(lengthOf('abc', 1, 3, scene), 2)
  assert.equal(lengthOf('xyz', 1, 3, scene), 2)
  assert.equal(lengthOf('xyz', 1, 3, other), 2)
  assert.deepEqual(read, ['prose abc 0 3', 'prose abc 1 3', 'prose xyz 1 3', 'prose xyz 1 3'])
})

test('onceAScene: each reading remembers its own', () => {
  const scene: Scene = { kind: 'text', via: [] }
  const first = onceAScene((text) => `${text}!`)
  const second = onceAScene((text) => `${text}?`)
  assert.equal(first('a', 0, 1, scene), 'a!')
  assert.equal(second('a', 0, 1, scene), 'a?')
  assert.equal(first('a', 0, 1, scene), 'a!')
})
