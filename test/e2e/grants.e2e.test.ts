import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { gatedHome, noGatedHome } from '../support/gated-home.ts'
import { PERSON } from '../support/vault.ts'
import { fault } from '../support/vault-stores.ts'

const place = gatedHome('grants')
const { piped, provenJson, proven, beside } = place
const skip = noGatedHome
after(() => place.remove())

const GATEWAY = { address: '192.0.2.7', channel: 'mcp-http', server: 'github' } as const
const CHOSEN = ['--server', 'github', '--policy', 'read-only', '--policy', 'office-hours']

interface Made {
  readonly token: string
  readonly grant: { readonly id: string; readonly label: string; readonly policies: string[] }
}

test('a grant is made and rotated behind the gate, listed without its bearer, and dead once revoked', {
  skip,
}, async () => {
  await place.setPresence()
  await proven(['agent', 'create', 'deploy'])
  await beside(async ({ registry }) => {
    const { servers, policies } = await registry()
    await servers.add(PERSON, 'github', { kind: 'stdio', command: ['server'], variables: [] })
    for (const name of ['read-only', 'office-hours'])
      await policies.set(PERSON, name, Buffer.from('{"version":"1","default":"deny"}'))
  })
  const create = ['grant', 'create', 'deploy', ...CHOSEN, '--label', 'laptop']
  assert.equal((await piped(create)).exit, 5)
  for (const missing of ['--server', '--label']) {
    const words = ['--server', 'a', '--policy', 'b', '--label', 'c']
    const at = words.indexOf(missing)
    const said = await piped(['grant', 'create', 'deploy', ...words.toSpliced(at, 2)])
    assert.equal(said.exit, 2)
    assert.match(said.stderr, new RegExp(`${missing} is missing`))
  }

  const { token, grant } = await provenJson<Made>(create)
  assert.match(token, /^spt_grant_/)
  assert.deepEqual([grant.label, grant.policies], ['laptop', ['read-only', 'office-hours']])
  const listed = await piped(['grant', 'ls', 'deploy', '--json'])
  assert.equal(listed.exit, 0)
  assert.deepEqual(JSON.parse(listed.stdout), { grants: [grant] })
  assert.ok(!listed.stdout.includes(token))
  for (const verb of ['rotate', 'revoke'])
    assert.equal((await piped(['grant', verb, grant.id])).exit, 5, verb)

  const rotated = (await proven(['grant', 'rotate', grant.id])).trim()
  const other = await provenJson<Made>([...create.slice(0, -1), 'desktop'])
  await beside(async ({ identity }) => {
    await assert.rejects(
      identity.authentication.authenticate(token, GATEWAY),
      fault('UNAUTHENTICATED'),
    )
    await identity.authentication.authenticate(rotated, GATEWAY)
  })
  assert.equal((await piped(['freeze', `grant:${other.grant.id}`])).exit, 0)
  await proven(['grant', 'revoke', grant.id])
  await beside(async ({ identity }) => {
    for (const dead of [rotated, other.token])
      await assert.rejects(
        identity.authentication.authenticate(dead, GATEWAY),
        fault('UNAUTHENTICATED'),
      )
  })
  const states = (await piped(['grant', 'ls'])).stdout
  assert.match(states, /laptop.*revoked/)
  assert.match(states, /desktop.*active/)
})
