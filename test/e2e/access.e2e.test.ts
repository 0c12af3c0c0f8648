import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { gatedHome, noGatedHome } from '../support/gated-home.ts'
import { ORIGIN } from '../support/identity.ts'
import { PERSON } from '../support/vault.ts'
import { secret } from '../support/vault-stores.ts'

const place = gatedHome('access')
const { piped, proven, provenJson, beside } = place
after(() => place.remove())

test('what an agent may do is granted, explained, listed and taken away by the person', {
  skip: noGatedHome,
}, async () => {
  await place.setPresence()
  const { key } = await beside(async ({ vault, identity }) => {
    await vault.put(PERSON, 'default', { path: 'config/db', value: secret('v') })
    return identity.agents.create(PERSON, { name: 'deploy' })
  })

  const refused = await piped(['access', 'grant', 'deploy', 'config/**'])
  assert.equal(refused.exit, 5)
  const granted = await provenJson<{ id: string; permissions: string[] }>([
    'access',
    'grant',
    'deploy',
    'config/**',
    '--permission',
    'read',
    '--address',
    '127.0.0.0/8',
    '--expires',
    '90d',
  ])
  assert.deepEqual(granted.permissions, ['read'])
  const denied = await provenJson<{ id: string }>(['access', 'grant', 'deploy', '**', '--deny'])

  const why = await proven(['access', 'explain', 'deploy', 'config/db'])
  assert.match(why, /^deploy may not read config\/db: /)
  assert.match(why, new RegExp(denied.id))
  assert.equal((await piped(['access', 'explain', 'deploy', 'config/db'])).exit, 5)
  assert.match(await proven(['access', 'rm', denied.id]), /is gone/)

  const listed = await provenJson<{ policies: { id: string }[] }>(['access', 'ls'])
  assert.deepEqual(
    listed.policies.map(({ id }) => id),
    [granted.id],
  )
  await beside(async ({ vault, identity }) => {
    const { authentication } = identity
    const here = { ...ORIGIN, address: '127.0.0.1' }
    const { token } = await authentication.exchange(key.reveal(), null, here)
    const caller = await authentication.authenticate(token.reveal(), here)
    const { value } = await vault.get(caller, 'default', 'config/db')
    assert.equal(value.reveal(), 'v')
  })
})
