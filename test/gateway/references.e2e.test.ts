// A reference to a secret in a message stays what the agent wrote: at no door does it become the value, and no read is
// taken of the secret for it. What an agent may use by reference, it may use where the person has put the reference.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createTokens } from '../../src/vault/index.ts'
import { approvedProject } from '../support/approved-project.ts'
import { ERAS, serveMcpDoor } from '../support/mcp-door.ts'
import { temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER, saidBy, startWrapped } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
const value = `v-${randomBytes(24).toString('hex')}`
// The agent of this project may read the one and use the other.
const project = await approvedProject(home, { 'api/key': value, 'run/key': value })
const vault = await openTestVault({ home })
const door = await serveMcpDoor(vault)
const { servers, policies } = await vault.registry()
const log = join(home, 'lines.log')
await servers.add(PERSON, 'lines', {
  kind: 'stdio',
  command: [process.execPath, LINE_SERVER, log],
  variables: [],
})
const open = '{"version":"1","default":"allow"}'
await policies.set(PERSON, 'open', Buffer.from(open))
await policies.attach(PERSON, 'open', { kind: 'server', name: 'lines' })
const policy = join(home, 'open.json')
await writeFile(policy, open)
after(async () => {
  await door.stop()
  await vault.close()
  await remove()
})

const REFERENCES = 'Bearer secret://api/key, secret://run/key@host, ${secret://api/key}'
/** Wherever a message can carry one, spaced as no writer of ours would. */
const messages = (id: number): readonly string[] => [
  `{"jsonrpc": "2.0","id":${id}1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"${REFERENCES}","deep":{"list":["secret://run/key"]},"secret://api/key":1},"_meta":{"note":"secret://api/key"}}}`,
  `{"jsonrpc": "2.0","id":${id}2,"method":"resources/read","params":{"uri":"secret://api/key"}}`,
  `{"jsonrpc": "2.0","id":${id}3,"method":"prompts/get","params":{"name":"p","arguments":{"key":"secret://run/key"}}}`,
]

/** Nobody read a secret, used one, or tried to. */
async function assertUntouched(): Promise<void> {
  for (const action of ['secret.read', 'secret.use'])
    assert.deepEqual(await vault.audit.query({ limit: 10, action }), [], action)
}

const wraps: readonly [what: string, flags: readonly string[]][] = [
  ['in shadow', []],
  ['under a policy', ['--policy', policy]],
  ['of a server that was added', []],
]
for (const [index, [what, flags]] of wraps.entries())
  test(`a reference in a message is not resolved by wrap ${what}: it goes on as it was written`, async () => {
    const wrapped = startWrapped(home, {
      cwd: project,
      flags,
      ...(what === 'of a server that was added' && { server: 'lines' }),
    })
    const sent = messages(index + 1)
    for (const message of sent) wrapped.send(message)
    const answers = await Promise.all(
      sent.map((_, at) => wrapped.lineWith(`"id":${index + 1}${at + 1}`)),
    )
    assert.equal(saidBy(JSON.parse(answers[0] ?? '')), REFERENCES, 'nor on its way back')
    assert.equal(await wrapped.end(), 0)
    const received = wrapped.received().trimEnd().split('\n').slice(1)
    assert.deepEqual(received, sent)
    for (const seen of [wrapped.received(), wrapped.lines.join('\n'), wrapped.stderr()])
      assert.ok(!seen.includes(value))
    await assertUntouched()
  })

for (const era of ERAS)
  test(`${era}: a reference in a message is not resolved at /s/NAME/mcp: it goes on as it was written`, async () => {
    const { token } = await (await createTokens(vault)).create(era, project)
    const path = '/s/lines/mcp'
    const client = await door.connect(era, token.reveal(), undefined, undefined, path)
    const args = { text: REFERENCES, deep: { list: ['secret://run/key'] }, 'secret://api/key': 1 }
    const { content } = await client.callTool({ name: 'echo', arguments: args })
    assert.deepEqual(content, [{ type: 'text', text: REFERENCES }])
    const received = readFileSync(log, 'utf8')
    assert.ok(received.includes(`"arguments":${JSON.stringify(args)}`))
    assert.ok(!received.includes(value))
    await assertUntouched()
  })
