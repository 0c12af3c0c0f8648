import type { ApprovalInfo } from '../core/approval-port.ts'
import type { SqlValue } from '../core/db-port.ts'
import type { EpochMs } from '../core/time.ts'
import type { ApprovalRow } from './approval-rows.ts'
import type { Sight } from './deciders.ts'

/** Conditions of a list, all of which must hold. */
export class Conditions {
  readonly #all: string[] = ['1 = 1']
  readonly params: SqlValue[] = []

  get text(): string {
    return this.#all.join(' and ')
  }

  oneOf(column: 'requester' | 'kind', values: readonly string[]): void {
    if (values.length === 0) this.#add('1 = 0')
    else this.#add(`${column} in (${values.map(() => '?').join(', ')})`, ...values)
  }

  status(status: ApprovalInfo['status'], at: EpochMs): void {
    if (status === 'expired') this.#add("status in ('pending', 'approved') and expires_at <= ?", at)
    else if (status === 'pending' || status === 'approved')
      this.#add('status = ? and expires_at > ?', status, at)
    else this.#add('status = ?', status)
  }

  before({ created_at, id }: ApprovalRow): void {
    this.#add('(created_at < ? or (created_at = ? and id < ?))', created_at, created_at, id)
  }

  #add(condition: string, ...params: readonly SqlValue[]): void {
    this.#all.push(condition)
    this.params.push(...params)
  }
}

export function sees(sight: Sight, row: ApprovalRow): boolean {
  return sight.kind === 'all' || sight.requesters.includes(row.requester)
}
