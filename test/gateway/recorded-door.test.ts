// Calls at /s/NAME/mcp are recorded by the policy of their grant, and a draft is tried on them.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openReplay } from '../../src/app/open-replay.ts'
import { epochMs, monotonicMs, sleep } from '../../src/core/time.ts'
import { ERAS, serveMcpDoor } from '../support/mcp-door.ts'
import { openTestVault, PERSON } from '../support/vault.ts'

const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url))
const vault = await openTestVault()
const door = await serveMcpDoor(vault)
after(async () => {
  await door.stop()
  await vault.dispose()
})
const policyOf = (policy: object): Buffer =>
  Buffer.from(JSON.stringify({ version: '1', default: 'deny', ...policy }))

test('both eras: calls at a door are recorded under their grant', async () => {
  const { servers, policies } = await vault.registry()
  await servers.add(PERSON, 'echo', {
    kind: 'stdio',
    command: [process.execPath, ECHO],
    variables: [],
  })
  const limit = { counter: 'echoes', window: 'day', max: 9 }
  await policies.set(
    PERSON,
    'kept',
    policyOf({ record: '7d', tools: { echo: { limits: [limit] } } }),
  )
  const { agent } = await vault.identity.agents.create(PERSON, { name: 'deploy' })
  const asked = { label: 'laptop', server: 'echo', policies: ['kept'] }
  const { bearer } = await vault.identity.grants.create(PERSON, agent.id, asked)
  for (const era of ERAS) {
    const client = await door.connect(era, bearer.reveal(), undefined, undefined, '/s/echo/mcp')
    await client.callTool({ name: 'echo', arguments: { text: era } })
    await client.callTool({ name: 'other', arguments: {} })
    await client.close()
  }
  const { replay } = openReplay(vault)
  const tried = async (policy: object) =>
    replay(PERSON, {
      drafts: [{ name: 'draft.json', text: policyOf(policy) }],
      server: 'echo',
      since: epochMs(0),
      showsArguments: true,
    })
  const from = monotonicMs()
  // They are written behind the calls.
  while ((await tried({})).compared < 4 && monotonicMs() - from < 5_000) await sleep(20)
  const one = await tried({ tools: { echo: { limits: [{ ...limit, max: 1 }] } } })
  assert.deepEqual(
    [
      one.compared,
      one.undecidable,
      one.calls.map(({ to, rule, arguments: args }) => [to, rule, args]),
    ],
    [4, 0, [['limited', '/tools/echo/limits/0', { text: 'modern' }]]],
  )
  assert.equal(one.calls[0]?.principal, `agent:${agent.id}`)
  const byGrant = { conditions: [{ path: 'principal', op: 'eq', value: `agent:${agent.id}` }] }
  assert.equal((await tried({ tools: { echo: { require: [byGrant] } } })).changed, 0)
})
