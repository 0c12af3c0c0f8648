// Tasks over two processes of one store: what one of them made, the other one judges.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { temporaryHome } from '../support/serving.ts'
import { openTestVault } from '../support/vault.ts'
import { startWrapped } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
await (await openTestVault({ home })).close()
after(remove)

test('a task that one process made is followed through another, and a stranger’s is not', async () => {
  const policy = join(home, 'policy.json')
  await writeFile(policy, '{"version":"1","default":"deny","tools":{"later":{}}}')
  const flags = ['--policy', policy]
  const [one, other] = [startWrapped(home, { flags }), startWrapped(home, { flags })]
  const early = await other.ask('early', 'tasks/get', { taskId: 't-later' })
  assert.equal(early.error?.code, -32601)
  const made = await one.ask(1, 'tools/call', {
    name: 'later',
    arguments: {},
    task: { ttl: 60_000 },
  })
  assert.equal((made.result?.['task'] as { taskId: string } | undefined)?.taskId, 't-later')
  const followed = await other.ask(1, 'tasks/result', { taskId: 't-later' })
  assert.equal(followed.result?.content?.[0]?.text, 't-later is done')
  const listed = await other.ask(2, 'tasks/list')
  assert.deepEqual(
    (listed.result?.['tasks'] as { taskId: string }[] | undefined)?.map(({ taskId }) => taskId),
    ['t-later'],
  )
  const stranger = await other.ask(3, 'tasks/result', { taskId: 't-other' })
  assert.equal(stranger.error?.code, -32601)
  assert.doesNotMatch(other.received(), /"t-other"/)
  await Promise.all([one.end(), other.end()])
})
