import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bendNewVault } from '../support/bent-requests.ts'
import { randomFrom } from '../support/mutated-frames.ts'

test('whatever is asked, no answer is a failure of the server, and each is in the document', async () => {
  const random = randomFrom(20_261_121)
  const { statuses, reached, found } = await bendNewVault({ count: 1_500, random })
  assert.deepEqual(found, [])
  // It is no use if all of it is refused at the door.
  assert.ok(reached.size > 30, `only ${reached.size} operations were reached`)
  assert.ok((statuses.get(200) ?? 0) > 100)
})
