import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callInspection } from '../../src/app/call-inspection.ts'
import { openApi } from '../../src/app/open-api.ts'
import { silentLog } from '../../src/core/log.ts'
import { sendBent } from '../support/bent-requests.ts'
import { randomFrom } from '../support/mutated-frames.ts'
import { agentWith, userWith } from '../support/registered.ts'
import { openTestVault } from '../support/vault.ts'

test('whatever is asked, no answer is a failure of the server, and each is in the document', async () => {
  const vault = await openTestVault()
  try {
    const inspection = callInspection(vault.settings, async () => null, silentLog)
    const api = openApi(vault, { log: silentLog, inspection })
    const owner = await userWith(vault, 'owner')
    const agent = await agentWith(vault, [['**', ['list', 'read', 'write', 'delete', 'share']]])
    const { statuses, reached, found } = await sendBent(api, [owner.key, owner.key, agent.key], {
      count: 1_500,
      random: randomFrom(20_261_121),
    })
    assert.deepEqual(found, [])
    // It is no use if all of it is refused at the door.
    assert.ok(reached.size > 30, `only ${reached.size} operations were reached`)
    assert.ok((statuses.get(200) ?? 0) > 100)
    assert.deepEqual((await vault.audit.verify()).findings, [])
  } finally {
    await vault.dispose()
  }
})
