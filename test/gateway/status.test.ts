// What `status` and `top` show: of all processes, from the audit and the counters.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { gatewayStatus } from '../../src/app/gateway-status.ts'
import { silentLog } from '../../src/core/log.ts'
import { epochMs, sleep, systemClock } from '../../src/core/time.ts'
import { serveMcpDoor } from '../support/mcp-door.ts'
import { onTerminal } from '../support/pty.ts'
import { programMissing } from '../support/require.ts'
import { homeEnvironment, LAUNCHER, temporaryHome } from '../support/serving.ts'
import { AGENT, openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER, startWrapped } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
const vault = await openTestVault({ home })
after(async () => {
  await vault.close()
  await remove()
})
const { servers, policies } = await vault.registry()
await servers.add(PERSON, 'lines', {
  kind: 'stdio',
  command: [process.execPath, LINE_SERVER, `${home}/own.log`],
  variables: [],
})
await servers.add(PERSON, 'quiet', { kind: 'http', url: 'https://mcp.example.org/', headers: [] })
const limits = [{ counter: 'echoes', window: 'day', max: 3 }]
// In units of their own.
const costs = [
  { counter: 'spent', window: 'day', max: 5, cost: { path: 'args.cents', scale: 2 } },
  { counter: 'tries', window: 'day', max: 2 },
]
await policies.set(
  PERSON,
  'few',
  Buffer.from(
    JSON.stringify({
      version: '1',
      default: 'deny',
      tools: { echo: { limits }, fail: { limits: costs } },
    }),
  ),
)
await policies.attach(PERSON, 'few', { kind: 'server', name: 'lines' })

test('status counts calls, denials, failures and limits of every process', async () => {
  const since = epochMs(systemClock() - 60_000)
  const wrapped = startWrapped(home, { server: 'lines', ownCommand: true })
  for (const id of [1, 2, 3, 4]) await wrapped.call(id, 'echo', { text: 'x' })
  await wrapped.call(5, 'fail', { cents: 0.57 })
  await wrapped.call(6, 'delete_all')
  const other = startWrapped(home, { env: { SALLYPORT_SERVER_LIMITS: 'call=1s' } })
  await other.call(1, 'echo', { text: 'x' })
  await other.call(2, 'silent')
  await Promise.all([wrapped.end(), other.end()])

  const now = await gatewayStatus(vault, silentLog, AGENT, since)
  const shown = now.servers.map((one) => [one.name, one.kind, one.calls, one.denied, one.failed])
  assert.equal(now.isCut, false)
  // One of the two has no name in the registry: it is what the other process called it.
  assert.deepEqual(shown, [
    ['lines', 'stdio', 8, 2, 2],
    ['quiet', 'http', 0, 0, 0],
  ])
  assert.deepEqual(now.servers[0]?.policies, ['few'])
  const [limit, ...more] = now.limits.toSorted((a, b) => b.used - a.used)
  assert.deepEqual(
    more.map(({ counter, used, max }) => [counter, used, max]),
    [
      ['tries', 1, 2],
      ['spent', 0.57, 5],
    ],
  )
  assert.deepEqual(
    [
      limit?.server,
      limit?.counter,
      limit?.scope,
      limit?.of,
      limit?.window,
      limit?.used,
      limit?.max,
    ],
    ['lines', 'echoes', 'grant', 'agent:local', 'day', 3, 3],
  )
  assert.ok((limit?.endsAt ?? 0) > systemClock())
  const later = await gatewayStatus(vault, silentLog, AGENT, epochMs(systemClock() + 1))
  assert.deepEqual(
    later.servers.map(({ calls }) => calls),
    [0, 0],
  )
})

async function run(argv: readonly string[], until: (out: string) => boolean) {
  const child = spawn(process.execPath, [LAUNCHER, ...argv], {
    cwd: home,
    env: homeEnvironment(home),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    if (until(out)) child.kill('SIGINT')
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const [exit] = (await once(child, 'close')) as [number | null]
  return { exit, out, err }
}

test('the commands print it as tables and as JSON; top goes on until it is ended', async () => {
  const { exit, out } = await run(['status'], () => false)
  assert.equal(exit, 0)
  assert.match(
    out,
    /^SERVER +KIND +CALLS +DENIED +FAILED +LAST CALL +POLICIES\nlines +stdio +8 +2 +2 +\S+ +few\n/,
  )
  assert.match(
    out,
    /\nLIMIT +SERVER +USED +MAX +WINDOW +OF +GIVEN BACK\nspent +lines +0\.57 +5 +day +agent:local .*\nechoes +lines +3 +3 +day +agent:local/,
  )
  const json = await run(
    ['top', '--json', '--interval', '1'],
    (text) => text.split('\n').length > 2,
  )
  const [first = '', second = ''] = json.out.split('\n')
  for (const line of [first, second])
    assert.equal((JSON.parse(line) as { servers: { name: string }[] }).servers[0]?.name, 'lines')
  const blind = await run(['top'], () => false)
  assert.deepEqual([blind.exit, blind.out], [2, ''])
  assert.match(blind.err, /needs a terminal, or --json/)
})

test('top fits a small terminal', {
  skip: programMissing('script', 'apt-get install bsdutils'),
}, async () => {
  const small = 'stty rows 8 cols 40; exec "$@"'
  const { exit, output } = await onTerminal(
    ['sh', '-c', small, 'sh', process.execPath, LAUNCHER, 'top', '--interval', '1'],
    { cwd: home, env: { ...homeEnvironment(home), NO_COLOR: '1' }, until: /Calls since/ },
  )
  assert.equal(exit, 0)
  const [, screen = ''] = output.split('\u001b[H\u001b[J')
  const [header = '', ...lines] = screen
    .slice(0, screen.indexOf('\n', screen.indexOf('Calls')))
    .split('\n')
  assert.match(header, /^SERVER .{32}…$/)
  assert.equal(lines.length, 6)
  assert.deepEqual(
    lines.filter((line) => line.startsWith('…')),
    ['… and 2 more', '… and 3 more'],
  )
})

test('what was called last is last whichever process began first, and a call with thousands of arguments is one of them', async () => {
  const since = epochMs(systemClock())
  const [first, second] = [startWrapped(home), startWrapped(home)]
  await first.call(1, 'echo', { text: 'x' })
  await second.call(1, 'echo', { text: 'x' })
  const between = systemClock()
  await sleep(5)
  const wide = Array.from({ length: 3_000 }, (_, at) => [`a_rather_long_name_${at}`, 1])
  await first.call(2, 'echo', Object.fromEntries(wide))
  await Promise.all([first.end(), second.end()])
  const { servers: shown } = await gatewayStatus(vault, silentLog, AGENT, since)
  assert.deepEqual([shown[0]?.name, shown[0]?.calls], ['lines', 3])
  assert.ok((shown[0]?.lastAt ?? 0) > between)
})

test('a window that is over is not shown as used', async () => {
  const brief = [{ counter: 'brief', window: 1, max: 3 }]
  const document = { version: '1', default: 'deny', tools: { echo: { limits: brief } } }
  await policies.set(PERSON, 'few', Buffer.from(JSON.stringify(document)))
  const wrapped = startWrapped(home, { server: 'lines', ownCommand: true })
  await wrapped.call(1, 'echo', { text: 'x' })
  const usedOf = async (): Promise<number | undefined> => {
    const { limits: all } = await gatewayStatus(vault, silentLog, AGENT, epochMs(0))
    return all.find(({ counter }) => counter === 'brief')?.used
  }
  let used = await usedOf()
  for (let id = 2; used !== 1 && id < 30; id += 1) {
    await wrapped.call(id, 'echo', { text: 'x' })
    used = await usedOf()
  }
  assert.equal(used, 1)
  await sleep(2_500)
  assert.ok(((await usedOf()) ?? 0) === 0)
  await wrapped.end()
})

test('calls that came to no server have failed, and one that is gone is not taken for one that was wrapped', async () => {
  const door = await serveMcpDoor(vault)
  const since = epochMs(systemClock())
  await servers.add(PERSON, 'gone', { kind: 'stdio', command: ['/no/program'], variables: [] })
  await servers.add(PERSON, 'down', { kind: 'http', url: 'http://127.0.0.1:9/mcp', headers: [] })
  await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
  const { agents, grants } = vault.identity
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const params = { name: 'echo', arguments: {}, _meta }
  for (const server of ['gone', 'down']) {
    const { agent } = await agents.create(PERSON, { name: `of-${server}` })
    const asked = { label: 'laptop', server, policies: ['open'] }
    const { bearer } = await grants.create(PERSON, agent.id, asked)
    const headers = {
      Authorization: `Bearer ${bearer.reveal()}`,
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': 'tools/call',
      'Mcp-Name': 'echo',
    }
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params }
    const answer = await door.post(call, headers, `/s/${server}/mcp`)
    assert.match(await answer.text(), /"code":-32603/)
  }
  const figures = await (await fetch(`${door.baseUrl}/metrics`)).text()
  // Over HTTP there is nothing to start.
  assert.match(figures, /shared_servers\{server="down"\} 1/)
  assert.doesNotMatch(figures, /shared_servers\{server="gone"\}/)
  const wrapped = startWrapped(home)
  await wrapped.call(1, 'echo', { text: 'x' })
  await wrapped.end()
  await door.stop()
  for (const server of ['gone', 'lines']) await servers.remove(PERSON, server)

  const { servers: all } = await gatewayStatus(vault, silentLog, AGENT, since)
  const shown = all
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, kind, calls, failed }) => [name, kind, calls, failed])
  assert.deepEqual(shown, [
    ['down', 'http', 1, 1],
    ['gone', null, 1, 1],
    ['lines', 'wrapped', 1, 0],
    ['quiet', 'http', 0, 0],
  ])
  const { out } = await run(['status'], () => false)
  assert.match(out, /\ngone +- +1 +0 +1 /)
  assert.match(out, /\nlines +wrapped +/)
})
