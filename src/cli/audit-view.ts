import type { AuditEntry } from '../core/admin-port.ts'
import { toIso } from '../core/time.ts'
import type { Json, Output } from './command.ts'
import { instant, table, visible } from './text.ts'

/** A line of a copy: a record is a few hundred bytes, the hashes of a page of pruned ones 22 KB; what is longer is neither. */
export const MAX_RECORD_BYTES = 1_048_576

export function auditJson(entry: AuditEntry): { readonly [name: string]: Json } {
  return {
    seq: entry.seq,
    at: toIso(entry.at),
    kind: entry.kind,
    action: entry.action,
    actor: entry.actor,
    channel: entry.channel,
    address: entry.address,
    vault: entry.vault,
    path: entry.path,
    server: entry.server,
    tool: entry.tool,
    method: entry.method,
    decision: entry.decision,
    outcome: entry.outcome,
    body: entry.body,
  }
}

export function auditTable(entries: readonly AuditEntry[], out: Output): string {
  return entries.length === 0
    ? ''
    : table(['SEQ', 'TIME', 'ACTOR', 'VIA', 'ACTION', 'WHAT', 'DECISION'], entries.map(cells), out)
}

/** One record as it comes: columns can't be measured ahead. */
export function auditLine(entry: AuditEntry): string {
  return cells(entry).map(visible).join('  ')
}

function cells(entry: AuditEntry): string[] {
  const decision = [entry.decision, entry.outcome].filter((one) => one !== null).join(', ')
  return [
    String(entry.seq),
    instant(entry.at),
    entry.actor,
    entry.channel,
    entry.kind === '' ? entry.action : `${entry.action} (${entry.kind})`,
    whatOf(entry),
    decision === '' ? '-' : decision,
  ]
}

/** A secret; a tool or a method at its server; else a vault. */
function whatOf({ path, server, tool, method, vault }: AuditEntry): string {
  if (path !== null) return path
  const called = [server, tool ?? method].filter((one) => one !== null)
  return called.length > 0 ? called.join(': ') : (vault ?? '-')
}
