import { stateTag } from '../core/expectation.ts'
import type { ServerInfo, ServerTarget } from '../core/gateway-port.ts'
import type { EpochMs } from '../core/time.ts'
import type { RowMac } from '../crypto/index.ts'
import { MacTable } from '../keys/index.ts'
import { type LoginRow, loginsTable } from './oauth/login-rows.ts'

/** What servers, policies and grants name: a path segment, a file name and a word of the shell at once. */
export const REGISTERED_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/

export interface ServerRow {
  readonly name: string
  /** JSON of a `ServerTarget`. */
  readonly target: string
  /** JSON array of names. */
  readonly policies: string
  readonly created_at: EpochMs
  readonly created_by: string
  readonly changed_at: EpochMs
  readonly revision: number
}

export interface ToolPolicyRow {
  readonly name: string
  readonly document: string
  readonly created_at: EpochMs
  readonly created_by: string
  readonly changed_at: EpochMs
  readonly changed_by: string
  readonly revision: number
}

export interface RegistryTables {
  readonly servers: MacTable<ServerRow>
  readonly policies: MacTable<ToolPolicyRow>
  readonly logins: MacTable<LoginRow>
}

export function registryTables(mac: RowMac): RegistryTables {
  return {
    servers: new MacTable<ServerRow>(
      mac,
      'gateway_servers',
      ['name', 'target', 'policies', 'created_at', 'created_by', 'changed_at', 'revision'],
      ['name'],
    ),
    policies: new MacTable<ToolPolicyRow>(
      mac,
      'gateway_policies',
      ['name', 'document', 'created_at', 'created_by', 'changed_at', 'changed_by', 'revision'],
      ['name'],
    ),
    logins: loginsTable(mac),
  }
}

export function serverInfo(row: ServerRow): ServerInfo {
  return {
    name: row.name,
    tag: rowTag(row),
    // The row is authenticated, so it is what was written.
    target: JSON.parse(row.target) as ServerTarget,
    policies: JSON.parse(row.policies) as readonly string[],
    createdAt: row.created_at,
    createdBy: row.created_by,
    changedAt: row.changed_at,
  }
}

/** A name that was dropped may come back, and its revisions begin anew. */
export function rowTag(row: ServerRow | ToolPolicyRow): string {
  return stateTag(row.revision, row.created_at)
}
