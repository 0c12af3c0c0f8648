import assert from 'node:assert/strict'
import { parseInstant } from '../../src/core/time.ts'
import type { AccessQuestion, AccessSubject } from '../../src/policy/access-decision.ts'
import type { AccessPolicy } from '../../src/policy/access-policy.ts'

/** A Friday. */
export const NOON = parseInstant('2026-11-20T12:00:00Z') ?? assert.fail()

export const agent: AccessSubject = {
  type: 'agent',
  id: 'deployer',
  orgId: 'acme',
  vaultIds: null,
  scopes: [],
  role: null,
}

export const creator: AccessSubject = { ...agent, type: 'user', id: 'ada', role: 'member' }

/** What the agent asks, from an address of its own network. */
export const asked: AccessQuestion = {
  orgId: 'acme',
  vaultId: 'main',
  path: 'api/stripe',
  permission: 'read',
  at: NOON,
  address: '10.1.2.3',
  environment: 'staging',
  isOwner: false,
}

/** A policy by which the agent may read. */
export const allow = (
  id: string,
  pattern: string,
  more: Partial<AccessPolicy> = {},
): AccessPolicy => ({
  id,
  vaultId: 'main',
  pattern,
  principalType: 'agent',
  principalId: 'deployer',
  effect: 'allow',
  permissions: ['read'],
  conditions: null,
  priority: 0,
  expiresAt: null,
  ...more,
})

export const deny = (id: string, pattern: string, more: Partial<AccessPolicy> = {}): AccessPolicy =>
  allow(id, pattern, { effect: 'deny', ...more })
