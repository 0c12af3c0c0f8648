// Servers that people use, with a client of the SDK as most clients are made of. `npm run conformance -- servers` has
// more of both.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { assertSame, everything, filesystem, memory, seenBy } from '../support/real-servers.ts'
import { homeEnvironment, LAUNCHER, startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'

const { home, remove } = await temporaryHome()
after(remove)
const env = homeEnvironment(home)
const kept = join(home, 'kept')

test('servers that people use are the same to a client of version 1 behind wrap', async () => {
  const policy = join(home, 'allow.json')
  writeFileSync(policy, '{"version":"1","default":"allow"}')
  for (const server of [everything, memory]) {
    const command = server.command(kept)
    const wrap = [process.execPath, LAUNCHER, 'wrap', '--policy', policy, '--', ...command]
    const expected = await seenBy('v1', { command, env }, server, kept)
    assert.ok(Object.keys(expected).length > 6)
    assertSame(await seenBy('v1', { command: wrap, env }, server, kept), expected, server.name)
  }
})

test('a server that people use is the same to a client of version 1 at /s/NAME/mcp', async (t) => {
  const vault = await openTestVault({ home })
  t.after(() => vault.close())
  const { servers, policies } = await vault.registry()
  const command = filesystem.command(kept)
  await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
  await servers.add(PERSON, 'files', { kind: 'stdio', command, variables: [] })
  const { agent } = await vault.identity.agents.create(PERSON, { name: 'agent' })
  const asked = { label: 'files', server: 'files', policies: ['open'] }
  const { bearer } = await vault.identity.grants.create(PERSON, agent.id, asked)
  const serving = await startServing(home)
  t.after(() => serving.stop())
  const way = { url: new URL('/s/files/mcp', serving.url), bearer: bearer.reveal() }
  const expected = await seenBy('v1', { command, env }, filesystem, kept)
  assertSame(await seenBy('v1', way, filesystem, kept), expected, 'filesystem')
})
