import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { AgentId } from '../core/ids.ts'
import { LOCAL_PERSON, localAgent } from '../core/principals.ts'
import { epochMs } from '../core/time.ts'
import { decodeRecord, encodeRecord, type RecordDraft } from './record.ts'

const AT = epochMs(1_795_000_000_000)

const cases: readonly [what: string, draft: RecordDraft, text: string][] = [
  [
    'an event of nobody',
    { kind: 'event', action: 'audit.epoch', caller: null },
    '{"v":1,"seq":7,"at":1795000000000,"kind":"event","action":"audit.epoch"}',
  ],
  [
    'a read',
    {
      kind: 'intent',
      action: 'secret.read',
      caller: { principal: localAgent('/home/a'), channel: 'mcp-stdio', client: 'claude' },
      vault: 'v-1',
      path: 'api/stripe',
      version: 3,
      rows: [['secrets', 's-1', 12]],
    },
    '{"v":1,"seq":7,"at":1795000000000,"kind":"intent","action":"secret.read","actor":"agent:local",' +
      '"project":"/home/a","channel":"mcp-stdio","client":"claude","vault":"v-1","path":"api/stripe","version":3,' +
      '"rows":[["secrets","s-1",12]]}',
  ],
  [
    'a refusal of the agent outside of projects',
    {
      kind: 'refusal',
      action: 'secret.read',
      caller: { principal: localAgent(null), channel: 'cli' },
      path: 'a',
      by: 'no-policy',
    },
    '{"v":1,"seq":7,"at":1795000000000,"kind":"refusal","action":"secret.read","actor":"agent:local",' +
      '"channel":"cli","path":"a","by":"no-policy"}',
  ],
  [
    'a change with a removed row and details',
    {
      kind: 'change',
      action: 'secret.destroy',
      caller: { principal: LOCAL_PERSON, channel: 'cli' },
      rows: [['versions', 's-1/2', null]],
      detail: { a: 'x"y', b: 2, c: null, d: ['e'] },
    },
    '{"v":1,"seq":7,"at":1795000000000,"kind":"change","action":"secret.destroy","actor":"person:local",' +
      '"channel":"cli","rows":[["versions","s-1/2",null]],"detail":{"a":"x\\"y","b":2,"c":null,"d":["e"]}}',
  ],
  [
    'outcomes',
    {
      kind: 'outcome',
      action: 'outcome',
      caller: null,
      ends: [
        [5, 'released'],
        [6, 'dropped'],
      ],
    },
    '{"v":1,"seq":7,"at":1795000000000,"kind":"outcome","action":"outcome",' +
      '"ends":[[5,"released"],[6,"dropped"]]}',
  ],
  [
    'an agent of a server, with the address it came from',
    {
      kind: 'intent',
      action: 'secret.read',
      caller: {
        principal: { kind: 'registered-agent', id: 'a-1' as AgentId },
        channel: 'http',
        access: {
          credential: { kind: 'token', id: 't-1' },
          scopes: null,
          vaultIds: null,
          expiresAt: null,
          address: '192.0.2.7',
        },
      },
      path: 'a',
    },
    '{"v":1,"seq":7,"at":1795000000000,"kind":"intent","action":"secret.read","actor":"agent:a-1",' +
      '"channel":"http","address":"192.0.2.7","path":"a"}',
  ],
  [
    'a client that writes JSON, controls and half a character',
    {
      kind: 'event',
      action: 'vault.list',
      caller: {
        principal: LOCAL_PERSON,
        channel: 'page',
        client: 'a","actor":"b\\\n\u2028é\ud800',
      },
    },
    '{"v":1,"seq":7,"at":1795000000000,"kind":"event","action":"vault.list","actor":"person:local",' +
      '"channel":"page","client":"a\\",\\"actor\\":\\"b\\\\\\n\u2028é\\ud800"}',
  ],
]
for (const [what, draft, text] of cases)
  test(`encodeRecord: ${what}`, () =>
    assert.equal(encodeRecord(7, AT, draft).toString('utf8'), text))

const text = fc.string({ unit: 'binary', maxLength: 150 })

test('encodeRecord: any text comes back as it was, from one place only', () => {
  fc.assert(
    fc.property(
      fc.record({ project: text, client: text, vault: text, path: text, by: text, id: text }),
      ({ project, client, vault, path, by, id }) => {
        const caller = { principal: localAgent(project), channel: 'cli', client } as const
        const draft: RecordDraft = { kind: 'intent', action: 'x', caller, vault, path, by }
        const body = encodeRecord(1, AT, { ...draft, rows: [[id, id, 1]] })
        const back = decodeRecord(body)
        assert.deepEqual(back, {
          v: 1,
          seq: 1,
          at: AT,
          kind: 'intent',
          action: 'x',
          actor: 'agent:local',
          project,
          channel: 'cli',
          client: client.slice(0, 100),
          vault,
          path,
          by,
          rows: [[id, id, 1]],
        })
        assert.equal(
          JSON.stringify(back),
          body.toString('utf8'),
          'and is what JSON.stringify gives',
        )
      },
    ),
  )
})
