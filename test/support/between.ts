// One client, one server, and what stands between them: real policy, detectors, vault and audit, no processes.
import assert from 'node:assert/strict'
import { callInspection } from '../../src/app/call-inspection.ts'
import { withKnownValues } from '../../src/app/known-values.ts'
import { openCallRecord } from '../../src/app/open-gateway.ts'
import type { AskPeople } from '../../src/core/approval-port.ts'
import { DEFAULT_SWITCHES } from '../../src/core/config.ts'
import { silentLog } from '../../src/core/log.ts'
import type { Caller } from '../../src/core/principals.ts'
import { sleep } from '../../src/core/time.ts'
import {
  CallPath,
  type CallPathOptions,
  type CallRecorder,
  type HealthOptions,
  MessageInspection,
  type PoliciesNow,
  Relay,
  ServerHealth,
} from '../../src/gateway/index.ts'
import { toolPolicyOf } from '../../src/policy/tool-policy/index.ts'
import { atEnd } from './at-end.ts'
import { AGENT, openTestVault } from './vault.ts'

export const vault = await openTestVault()
atEnd(() => vault.dispose())
export const record = await openCallRecord(vault)

/** A relay and both of its ends. */
export interface Between {
  readonly relay: Relay
  readonly path: CallPath
  readonly toClient: string[]
  readonly toServer: string[]
  policies: PoliciesNow
  client(message: object | string): Promise<void>
  server(message: object | string): Promise<void>
  call(id: number, name: string, args?: object): Promise<void>
}

export const policiesOf = (...documents: readonly (object | null)[]): Promise<PoliciesNow> =>
  Promise.all(
    documents
      .filter((one) => one !== null)
      .map(async (one, index) => ({
        name: `p${index + 1}`,
        policy: await toolPolicyOf('p.json', Buffer.from(JSON.stringify({ version: '1', ...one }))),
        revision: `r${index + 1}`,
      })),
  )

let sessions = 0

export async function between(
  policy: object | null,
  options: {
    readonly isShadow?: boolean
    readonly exfiltration?: 'warn' | 'block'
    readonly mode?: 'block' | 'surgical' | 'log_only'
    readonly health?: HealthOptions
    readonly people?: AskPeople
    readonly recorder?: CallRecorder
    readonly caller?: Caller
    readonly grant?: string
    /** Opens what calls are recorded in. */
    readonly record?: CallPathOptions['record']
  } = {},
): Promise<Between> {
  const toClient: string[] = []
  const toServer: string[] = []
  sessions += 1
  const one: { policies: PoliciesNow } = { policies: await policiesOf(policy) }
  const policiesNow = () => one.policies
  const inspection = new MessageInspection({
    inspection: withKnownValues(
      callInspection(
        {
          inspection: {
            ...DEFAULT_SWITCHES,
            exfiltration: options.exfiltration ?? 'warn',
            mode: options.mode ?? 'block',
          },
          inspectionFile: `${vault.home}/inspection.json`,
        },
        async () => null,
        silentLog,
      ),
      async () => vault.knownTo,
    ),
    server: 'fixture',
    log: silentLog,
    note: (caller, note) => vault.vault.noteInspection(caller, note),
  })
  const path = new CallPath({
    server: 'fixture',
    isShadow: options.isShadow ?? true,
    policiesNow,
    inspection,
    record: options.record ?? (async () => record),
    session: `session-${sessions}`,
    people: async () => options.people ?? vault.approvals.people,
    health: new ServerHealth(options.health),
    ...(options.recorder !== undefined && { recorder: options.recorder }),
    ...(options.grant !== undefined && { grant: options.grant }),
  })
  const relay = new Relay({
    caller: options.caller ?? AGENT,
    path,
    inspection,
    policiesNow,
    log: silentLog,
    toClient: (text) => toClient.push(text),
    toServer: (text) => toServer.push(text),
  })
  const frame = (message: object | string): Buffer =>
    Buffer.from(
      typeof message === 'string' ? message : JSON.stringify({ jsonrpc: '2.0', ...message }),
    )
  return Object.assign(one, {
    relay,
    path,
    toClient,
    toServer,
    async client(message: object | string) {
      relay.fromClient(frame(message))
      await relay.idle()
    },
    async server(message: object | string) {
      await relay.fromServer(frame(message))
      await relay.idle()
    },
    async call(id: number, name: string, args: object = {}) {
      relay.fromClient(frame({ id, method: 'tools/call', params: { name, arguments: args } }))
      await relay.idle()
    },
  })
}

export interface Told {
  readonly id: unknown
  readonly result?: {
    readonly content: readonly { readonly text: string }[]
    readonly isError?: boolean
    readonly resultType?: string
  }
  readonly error?: { readonly code: number; readonly message: string }
}
export const last = ({ toClient }: Between): Told => JSON.parse(toClient.at(-1) ?? 'null') as Told
export const textOf = (one: Between): string => last(one).result?.content[0]?.text ?? ''
export interface Recorded {
  readonly kind: string
  readonly action?: string
  readonly by?: string
  readonly detail?: Readonly<Record<string, unknown>>
}
/** The newest record of an action. @param tool that it is of: files of one process share the audit */
export async function recorded(action: string, kind?: string, tool?: string): Promise<Recorded> {
  const entries = await vault.audit.query({ limit: 200, action })
  const found = entries
    .filter((entry) => kind === undefined || entry.kind === kind)
    .map(({ body }) => JSON.parse(body) as Recorded)
    .find(({ detail }) => tool === undefined || detail?.['tool'] === tool)
  return found ?? assert.fail(action)
}

/** Lets a call of a hidden tool go on, and gives the name that the server is asked for in its place. */
export async function probedBy(one: Between, call: object): Promise<{ id: unknown; name: string }> {
  const { length } = one.toServer
  one.relay.fromClient(Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...call })))
  await until(() => one.toServer.length > length)
  const probe = JSON.parse(one.toServer.at(-1) ?? '') as {
    id: unknown
    params: { name: string; arguments?: object }
  }
  assert.deepEqual(probe.params.arguments ?? {}, {})
  return { id: probe.id, name: probe.params.name }
}

export const until = async (claim: () => boolean): Promise<void> => {
  for (let turn = 0; !claim() && turn < 500; turn += 1) await sleep(2)
  assert.ok(claim())
}
