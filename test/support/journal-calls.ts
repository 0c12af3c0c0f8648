import assert from 'node:assert/strict'
import type { CallJournal } from '../../src/audit/index.ts'
import type { CounterWindow } from '../../src/core/counter-port.ts'
import { Soon } from '../../src/core/soon.ts'
import type { CallRecord } from '../../src/gateway/call-record.ts'
import { limitCharge } from '../../src/gateway/limit-charge.ts'
import type { ToolLimit } from '../../src/policy/tool-policy/index.ts'
import { AGENT, type TestVault } from './vault.ts'

const limit = (max: number): ToolLimit => ({
  counter: 'c',
  window: 'month',
  max,
  scope: 'grant',
  algorithm: 'calendar',
  scale: 0,
  cost: { kind: 'fixed', units: 1 },
  onDeny: null,
  name: null,
  pointer: '/tools/t/limits/0',
})

/** A call of a tool with one limit, as the path of calls has it recorded. */
export const callOf = (max: number) => ({
  call: {
    caller: AGENT,
    server: 's',
    name: 't',
    isMethod: false,
    keys: [],
    revision: null,
    took: '',
  },
  rule: '/tools/t',
  hiddenBy: null,
  isDurable: false,
  mayWait: true,
  shadow: null,
  act: null,
  charges: [limitCharge({ limit: limit(max), amount: 1, isShadow: false }, 's', 'me')],
})

/** Whatever it has to wait for. */
export async function passing(record: CallRecord, call: Parameters<CallRecord['pass']>[0]) {
  const passed = record.pass(call)
  return passed instanceof Soon ? passed.promise() : passed
}

export async function journalOf(vault: TestVault): Promise<CallJournal> {
  return (await vault.journal.opened()) ?? assert.fail('there is no journal')
}

const MONTH: CounterWindow = { kind: 'month' }
/** One unit of a counter. */
export const charge = (max: number, more: { window?: CounterWindow; counter?: string } = {}) => ({
  counter: 'one counter',
  window: MONTH,
  amount: 1,
  max,
  isShadow: false,
  ruleText: '"/limits/0"',
  ...more,
})
