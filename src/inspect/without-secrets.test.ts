import assert from 'node:assert/strict'
import { test } from 'node:test'
import { builtInEngine } from './inspect.ts'
import { withoutSecrets } from './without-secrets.ts'

const engine = builtInEngine()
const card = { text: 'nothing of the kind', list: [1, null, true, { deep: 'text' }], n: 12_345_678 }
const key = 'sk_live_4eC39HqLyjWDarjtT1zdp7dc'

test('a value without secrets is the same value', () => {
  assert.equal(withoutSecrets(engine, card, {}, []), card)
  const off = { key }
  const all = engine.detectors.map(({ id }) => id)
  assert.equal(withoutSecrets(engine, off, {}, all), off)
})

test('what stands around a secret stays as it was, and so does the value that was given', () => {
  const given = { ...card, [`a ${key} b`]: [`x ${key}, y ${key} z`], same: key }
  const copy = structuredClone(given)
  assert.deepEqual(withoutSecrets(engine, given, {}, []), {
    ...card,
    'a [DETECTED:stripe-key] b': ['x [DETECTED:stripe-key], y [DETECTED:stripe-key] z'],
    same: '[DETECTED:stripe-key]',
  })
  assert.deepEqual(given, copy)
})

test('a number stands for itself or is taken out as a whole', () => {
  class Exact {
    readonly source = key
  }
  const shown = withoutSecrets(engine, { n: new Exact(), m: 5 }, {}, [])
  assert.deepEqual(shown, { n: '[DETECTED:stripe-key]', m: 5 })
})

test('of a private key that is cut off nothing is left', () => {
  const pem = '-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75\nMIIEpAIB'
  assert.equal(withoutSecrets(engine, `see ${pem}`, {}, []), 'see [DETECTED:private-key]')
})
