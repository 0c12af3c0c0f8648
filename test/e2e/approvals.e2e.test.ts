import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { act, request } from '../support/approvals.ts'
import { gatedHome, noGatedHome } from '../support/gated-home.ts'
import { serve } from '../support/outgoing.ts'
import { agentIn, PERSON } from '../support/vault.ts'

const place = gatedHome('approvals')
const { piped, proven, provenAndSeen, provenJson, beside } = place
after(() => place.remove())

const agent = agentIn(place.project)

test('what an agent asks for is seen by everybody and decided by the person', {
  skip: noGatedHome,
}, async () => {
  await place.setPresence()
  const received: string[] = []
  const port = await serve((incoming, outgoing) => {
    received.push(String(incoming.headers['x-sallyport-event']))
    outgoing.writeHead(204).end()
  })
  const url = `http://127.0.0.1:${port}/`
  const webhook = await provenJson<{ id: string; secret: string }>([
    'webhook',
    'add',
    url,
    '--event',
    'approval.approved',
  ])
  assert.match(webhook.secret, /^whsec_/)
  const { id } = await beside(({ approvals: { approvals: desk } }) =>
    desk.request(agent, request('one', { reason: 'for the notes' })),
  )
  const listed = await piped(['approvals', 'list', '--json'])
  const { approvals } = JSON.parse(listed.stdout) as {
    approvals: { id: string; status: string }[]
  }
  assert.deepEqual(
    approvals.map((one) => [one.id, one.status]),
    [[id, 'pending']],
  )
  const shown = (await piped(['approvals', 'show', id])).stdout
  for (const part of [
    /^asked by {4}agent:local in .*project$/m,
    /^what {8}Write a file$/m,
    /^ {2}path {6}notes\/today$/m,
    /^its reason {2}for the notes$/m,
  ])
    assert.match(shown, part)

  const refused = await piped(['approvals', 'approve', id])
  assert.deepEqual([refused.exit, refused.stdout], [5, ''])
  const { stdout, terminal } = await provenAndSeen([
    'approvals',
    'approve',
    id,
    '--reason',
    'go on',
  ])
  assert.equal(stdout, 'Approved.\n')
  assert.match(terminal, /approve for agent:local in \S+: Write a file/)
  // The command has told the webhook before it ended.
  assert.deepEqual(received, ['approval.approved'])
  await beside(async ({ approvals: { approvals: desk } }) => {
    assert.equal((await desk.consume(agent, act())).outcome, 'granted')
    assert.equal((await desk.consume(agent, act())).outcome, 'none')
    await desk.request(agent, request('two'))
  })
  const [second] = await beside(({ approvals: { approvals: desk } }) =>
    desk.list(PERSON, { status: 'pending' }),
  )
  const denied = await provenJson<{ status: string }>(['approvals', 'deny', second?.id ?? ''])
  assert.equal(denied.status, 'denied')
  assert.equal((await piped(['approvals', 'ls'])).stdout, '')
  assert.match(await proven(['webhook', 'rm', webhook.id, '--json']), /true/)
})
