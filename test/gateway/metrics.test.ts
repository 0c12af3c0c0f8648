// Figures of the gateway: what they say, and who may see them.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { userWithKey } from '../support/identity.ts'
import { serveMcpDoor } from '../support/mcp-door.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const vault = await openTestVault()
const door = await serveMcpDoor(vault, {}, { behindProxy: ['127.0.0.1'] })
after(async () => {
  await door.stop()
  await vault.dispose()
})
const { servers, policies } = await vault.registry()
const { agents, authentication, grants } = vault.identity
await servers.add(PERSON, 'lines', {
  kind: 'stdio',
  command: [process.execPath, LINE_SERVER, join(vault.home, 'lines.log')],
  variables: [],
})
const text = '{"version":"1","default":"deny","tools":{"echo":{},"fail":{}}}'
await policies.set(PERSON, 'few', Buffer.from(text))
await authentication.org()
const { agent, key } = await agents.create(PERSON, { name: 'agent' })
const asked = { label: 'laptop', server: 'lines', policies: ['few'] }
const { bearer } = await grants.create(PERSON, agent.id, asked)

const figures = async (headers: Record<string, string> = {}) => {
  const response = await fetch(`${door.baseUrl}/metrics`, { headers })
  return { status: response.status, lines: (await response.text()).split('\n') }
}

test('calls are counted by what was decided and how they ended, with the time each step took', async () => {
  const client = await door.connect('legacy', bearer.reveal(), undefined, undefined, '/s/lines/mcp')
  await client.callTool({ name: 'echo', arguments: { text: 'x' } })
  await client.callTool({ name: 'echo', arguments: { text: 'x' } })
  await client.callTool({ name: 'fail', arguments: {} })
  await client.callTool({ name: 'delete_all', arguments: { secret: 'not to be seen' } })
  const { status, lines } = await figures()
  assert.equal(status, 200)
  for (const line of [
    'sallyport_gateway_calls_total{server="lines",decision="passed"} 3',
    'sallyport_gateway_calls_total{server="lines",decision="denied"} 1',
    'sallyport_gateway_call_ends_total{server="lines",end="answered"} 2',
    'sallyport_gateway_call_ends_total{server="lines",end="tool-error"} 1',
    'sallyport_gateway_judging_seconds_count{server="lines"} 4',
    'sallyport_gateway_judging_seconds_bucket{server="lines",le="+Inf"} 4',
    'sallyport_gateway_call_seconds_count{server="lines"} 3',
    'sallyport_gateway_sessions{server="lines"} 1',
    '# TYPE sallyport_gateway_judging_seconds histogram',
  ])
    assert.ok(lines.includes(line), line)
  // Every line is one of the format, and each family is told once.
  for (const line of lines.filter((one) => one !== ''))
    assert.match(
      line,
      /^(?:# (?:HELP|TYPE) \w+ .+|\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? -?[\d.e+-]+)$/,
    )
  const types = lines.filter((line) => line.startsWith('# TYPE'))
  assert.equal(new Set(types).size, types.length)
  assert.ok(!lines.join('').includes('not to be seen'))
  await client.close()
})

test('they are seen on this machine, and from elsewhere by people who may read the audit', async () => {
  const elsewhere = { 'X-Forwarded-For': '203.0.113.9', 'X-Forwarded-Proto': 'https' }
  const by = (one: string) => ({ ...elsewhere, Authorization: `Bearer ${one}` })
  const auditor = (await userWithKey(vault, 'auditor')).key
  const member = (await userWithKey(vault, 'member')).key
  const cases: readonly [what: string, headers: Record<string, string>, status: number][] = [
    ['here', {}, 200],
    ['from elsewhere', elsewhere, 401],
    ['an auditor', by(auditor), 200],
    ['a member', by(member), 403],
    ['an agent', by(key.reveal()), 403],
    ['a grant', by(bearer.reveal()), 401],
    ['a page of another site', { Origin: 'https://evil.example' }, 403],
  ]
  for (const [what, headers, status] of cases)
    assert.equal((await figures(headers)).status, status, what)
})
