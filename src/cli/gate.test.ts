import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryStreams } from '../../test/support/streams.ts'
import type { PresenceStatus } from '../core/admin-port.ts'
import type { ApprovalInfo } from '../core/approval-port.ts'
import { Fault } from '../core/faults.ts'
import { type Caller, localAgent } from '../core/principals.ts'
import { epochMs } from '../core/time.ts'
import { allCommands } from './command-table.ts'
import type { CliDeps } from './deps.ts'
import { asAgentOrPerson } from './presence.ts'
import { runProgram } from './program.ts'

const NOTHING_EXEMPT: PresenceStatus = {
  isSet: true,
  setAt: null,
  changedAt: null,
  system: null,
  failures: 0,
  blockedUntil: null,
  exempt: [],
}

/** How each gated command is called; what it may look at before the person has proved presence. */
const GATED: Readonly<Record<string, { argv: string[]; before: string[] }>> = {
  allow: { argv: ['--read', '**', '/'], before: ['trust'] },
  'secret get': { argv: ['a/b'], before: [] },
  'secret destroy': { argv: ['a/b'], before: [] },
  'audit accept-head': { argv: [], before: [] },
  'counters accept': { argv: [], before: [] },
  'audit set-sinks': { argv: ['-'], before: [] },
  'audit prune': { argv: ['--keep', '400d'], before: [] },
  'audit set-retention': { argv: ['400d'], before: [] },
  'env export': { argv: [], before: [] },
  'setting exempt': { argv: ['secret get', 'on'], before: [] },
  'key rotate': { argv: [], before: [] },
  'key rekey': { argv: [], before: [] },
  'key change-source': { argv: ['keyfile'], before: [] },
  'token create': { argv: ['label'], before: [] },
  'token rotate': { argv: [], before: [] },
  'token revoke': { argv: ['id'], before: [] },
  'people setup': { argv: [], before: [] },
  'people invite': { argv: ['bo@example.org'], before: [] },
  'people role': { argv: ['bo@example.org', 'admin'], before: [] },
  'people disable': { argv: ['bo@example.org'], before: [] },
  'people enable': { argv: ['bo@example.org'], before: [] },
  'people reset': { argv: ['bo@example.org'], before: [] },
  'people rm': { argv: ['bo@example.org'], before: [] },
  'agent create': { argv: ['name', '--preset', 'ci'], before: [] },
  'agent update': { argv: ['name', '--any-scope'], before: [] },
  'agent rotate': { argv: ['name'], before: [] },
  'agent disable': { argv: ['name'], before: [] },
  'agent enable': { argv: ['name'], before: [] },
  'agent rm': { argv: ['name'], before: [] },
  'access grant': { argv: ['name', '**'], before: [] },
  'access rm': { argv: ['id'], before: [] },
  'workload add': { argv: ['name', 'https://idp.example.org', 'a:b'], before: [] },
  'workload rm': { argv: ['id'], before: [] },
  'grant create': {
    argv: ['name', '--server', 'github', '--policy', 'p', '--label', 'l'],
    before: ['registry', 'identity'],
  },
  'grant rotate': { argv: ['id'], before: ['identity'] },
  'grant revoke': { argv: ['id'], before: ['identity'] },
  'server add': { argv: ['files', '--', 'server'], before: ['checkServer'] },
  'server login': { argv: ['files'], before: ['registry'] },
  'server logout': { argv: ['files'], before: ['registry'] },
  'server rm': { argv: ['files'], before: ['registry'] },
  'policy set': { argv: ['strict', '-'], before: ['policyTools'] },
  'policy rm': { argv: ['strict'], before: ['registry'] },
  'policy attach': { argv: ['strict', '--server', 'files'], before: ['registry', 'registry'] },
  'policy detach': { argv: ['strict', '--grant', 'id'], before: ['identity'] },
  unfreeze: { argv: [], before: [] },
  'secret canary': { argv: ['a/b', '--on'], before: [] },
  'quota set': { argv: ['org', '--reads', '5'], before: [] },
  'share create': { argv: ['a/b', '--link', '--expires', '1h'], before: [] },
  'share ls': { argv: [], before: [] },
  'share revoke': { argv: ['id'], before: [] },
  'approvals approve': { argv: ['id'], before: ['approvals', 'caller'] },
  'webhook ls': { argv: [], before: [] },
  'webhook add': { argv: ['https://example.org'], before: [] },
  'webhook rm': { argv: ['id'], before: [] },
  'approvals deny': { argv: ['id'], before: ['approvals', 'caller'] },
  'inspection approve': { argv: [], before: ['inspectionRules'] },
  'inspection allow': {
    argv: ['shell-chain', '--reason', 'x', '--until', '1d'],
    before: ['inspectionRules'],
  },
  'inspection set': { argv: ['shell-chain', 'off'], before: ['inspectionRules'] },
  'inspection mode': { argv: ['log_only'], before: ['inspectionRules'] },
  backup: { argv: ['file'], before: [] },
  restore: { argv: ['file'], before: ['storeState'] },
}

const ASKED: ApprovalInfo = {
  id: 'id',
  kind: 'act',
  requester: 'agent:local',
  project: null,
  client: null,
  action: 'gateway.call',
  target: { type: 'tool', id: 'files/write' },
  argumentsDigest: '0'.repeat(64),
  policyRevision: 'r',
  preview: { title: 'Write a file' },
  reason: null,
  status: 'pending',
  needed: 1,
  votes: [],
  grant: null,
  within: null,
  createdAt: epochMs(0),
  expiresAt: epochMs(1),
  decidedAt: null,
  consumedAt: null,
}

test('every gated command is tried here', async () => {
  const gated = (await allCommands()).filter((command) => command.gated === true)
  assert.deepEqual(gated.map(({ name }) => name).toSorted(), Object.keys(GATED).toSorted())
})

for (const [name, { argv, before }] of Object.entries(GATED))
  test(`${name}: a closed gate stops it before it touches anything`, async () => {
    const touched: string[] = []
    const asked: string[] = []
    const lookups: Record<string, unknown> = {
      close: async () => {},
      projectDirectory: () => '/',
      defaultVault: () => 'default',
      presence: async () => ({
        status: async () => NOTHING_EXEMPT,
        prove: async ({ action }: { action: string }) => {
          asked.push(action)
          throw new Fault('PRESENCE_REFUSED', 'Not the passphrase.')
        },
      }),
      trust: async () => ({
        standing: async () => ({ project: null, file: null, state: 'none', allow: [], run: [] }),
      }),
      storeState: async () => 'empty',
      policyTools: async () => ({ keepable: async () => {} }),
      checkServer: async () => {},
      registry: async () => ({
        checkGrant: async () => {},
        servers: { get: async () => ({ policies: [] }) },
        policies: { get: async () => ({}) },
      }),
      identity: async () => ({
        agents: { list: async () => [{ id: 'id', name: 'name' }] },
        grants: { list: async () => [{ id: 'id', revokedAt: null, policies: ['strict'] }] },
      }),
      caller: async () => AGENT,
      approvals: async () => ({
        status: async () => ASKED,
        decide: () => assert.fail('something was decided'),
      }),
      inspectionRules: async () => ({
        standing: async () => ({ file: '/f', state: 'unapproved' }),
        draft: async () => ({ text: '{}', before: null, lines: [] }),
      }),
    }
    const deps: unknown = new Proxy(lookups, {
      get: (target, key) => {
        const member = String(key)
        if (!['close', 'projectDirectory', 'defaultVault', 'presence'].includes(member))
          touched.push(member)
        return Reflect.get(target, key) ?? (() => assert.fail(`${member} was called`))
      },
    })
    const streams = memoryStreams()
    const exit = await runProgram([...name.split(' '), ...argv], deps as CliDeps, streams)
    assert.equal(streams.written.stdout().length, 0)
    assert.match(streams.written.stderr(), /sallyport: Not the passphrase\./)
    assert.equal(exit, 5)
    assert.equal(asked.length, 1)
    assert.deepEqual(touched, before)
  })

test('what is asked is one line, whatever was typed', async () => {
  const asked: string[] = []
  const deps = {
    close: async () => {},
    defaultVault: () => 'default',
    presence: async () => ({
      status: async () => NOTHING_EXEMPT,
      prove: async ({ action }: { action: string }) => {
        asked.push(action)
        throw new Fault('PRESENCE_REFUSED', 'Not the passphrase.')
      },
    }),
  } as unknown as CliDeps
  await runProgram(['secret', 'get', 'a\n\nIt is safe to\u202e type'], deps, memoryStreams())
  assert.deepEqual(asked, ['read the secret a\\u{a}\\u{a}It is safe to\\u{202e} type'])
})

const AGENT: Caller = { principal: localAgent(null), channel: 'cli' }
const io = { signal: new AbortController().signal }
const request = { action: 'delete the secret a/b', detail: null }

function gate(prove: () => Promise<'passphrase'>): Pick<CliDeps, 'presence' | 'caller'> {
  return {
    caller: async () => AGENT,
    presence: async () => ({
      prove,
      status: async () => NOTHING_EXEMPT,
      set: () => assert.fail('set was called'),
    }),
  }
}

const denied = () =>
  new Fault('ACCESS_DENIED', 'Denied.', { details: { remedy: 'sallyport allow' } })

test('what the agent may do never asks the person', async () => {
  const deps = gate(() => assert.fail('the gate was asked'))
  assert.equal(
    await asAgentOrPerson(deps, io, request, async (caller) => caller.principal.kind),
    'agent',
  )
})

test('what the agent may not do runs as the person once presence is proved', async () => {
  const kinds: string[] = []
  const work = async ({ principal }: Caller): Promise<string> => {
    kinds.push(principal.kind)
    if (principal.kind === 'agent') throw denied()
    return 'done'
  }
  const result = await asAgentOrPerson(
    gate(async () => 'passphrase'),
    io,
    request,
    work,
  )
  assert.equal(result, 'done')
  assert.deepEqual(kinds, ['agent', 'person'])
})

for (const code of ['PRESENCE_UNAVAILABLE', 'PRESENCE_REFUSED', 'INPUT_CANCELLED'] as const)
  test(`a gate that answers ${code} leaves the denial as it was`, async () => {
    let runs = 0
    const deps = gate(async () => {
      throw new Fault(code, 'Not open.')
    })
    await assert.rejects(
      asAgentOrPerson(deps, io, request, async () => {
        runs += 1
        throw denied()
      }),
      {
        code: 'ACCESS_DENIED',
        message: 'Denied.',
        details: { remedy: 'sallyport allow', presence: 'Not open.' },
      },
    )
    assert.equal(runs, 1)
  })

test('other failures are neither asked about nor changed', async () => {
  const deps = gate(() => assert.fail('the gate was asked'))
  await assert.rejects(
    asAgentOrPerson(deps, io, request, async () => {
      throw new Fault('SECRET_NOT_FOUND', "No secret found at path 'a/b'.")
    }),
    { code: 'SECRET_NOT_FOUND' },
  )
})
