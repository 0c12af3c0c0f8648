import type { RetentionStanding } from '../../core/admin-port.ts'
import { toIso } from '../../core/time.ts'
import { command, type Json } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { fields, instant } from '../text.ts'

type Deps = Pick<CliDeps, 'audit'>

const DAY_MS = 86_400_000

export const auditRetention = command({
  name: 'audit retention',
  summary: 'Show how long records are kept.',
  about: ['Set it with audit set-retention.'],
  arguments: [],
  options: {},
  async run(_, io, deps: Deps) {
    const standing = await (await deps.audit()).retention()
    await io.answer(retentionJson(standing), () => retentionText(standing))
  },
})

export function retentionJson({ keepMs, pruned, prunedAt }: RetentionStanding): {
  readonly [name: string]: Json
} {
  return {
    keep_days: keepMs === null ? null : keepMs / DAY_MS,
    pruned,
    pruned_at: prunedAt === null ? null : toIso(prunedAt),
  }
}

export function retentionText({ keepMs, pruned, prunedAt }: RetentionStanding): string {
  return fields([
    ['kept', keepMs === null ? 'for ever' : `${keepMs / DAY_MS} days`],
    [
      'pruned',
      pruned === 0 || prunedAt === null
        ? 'nothing'
        : `records 1 to ${pruned}, last at ${instant(prunedAt)}`,
    ],
  ])
}
