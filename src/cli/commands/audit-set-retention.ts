import { Fault } from '../../core/faults.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { retentionJson, retentionText } from './audit-retention.ts'

type Deps = Pick<CliDeps, 'audit' | 'presence'>

const DAY_MS = 86_400_000
const DAYS = /^(\d{1,5})d$/

export const auditSetRetention = command({
  name: 'audit set-retention',
  summary: 'Say how long records are kept.',
  gated: true,
  about: [
    'Until it is set, for ever. Once a day a server prunes what is older, as audit prune does: no further than every ' +
      'required sink has it, and only while the audit verifies. It is kept in the store and holds for every server on it.',
  ],
  arguments: [{ name: 'keep', summary: 'days such as 400d, 30d or more; or forever' }],
  options: {},
  examples: [
    ['sallyport audit set-retention 400d', 'a year and a month'],
    ['sallyport audit set-retention forever', 'as it was in the beginning'],
  ],
  async run({ keep }, io, deps: Deps) {
    const keepMs = keep === 'forever' ? null : daysOf(keep)
    const caller = await asPerson(deps, io, {
      action: 'set how long audit records are kept',
      detail: keepMs === null ? 'for ever' : `${keepMs / DAY_MS} days`,
    })
    const standing = await (await deps.audit()).setRetention(caller, keepMs)
    await io.answer(retentionJson(standing), () => retentionText(standing))
  },
})

function daysOf(text: string): number {
  const days = Number(DAYS.exec(text)?.[1] ?? 0)
  if (days >= 30 && days <= 36_500) return days * DAY_MS
  throw new Fault('BAD_INPUT', 'KEEP must be forever, or 30d to 36500d.', {
    details: { field: 'KEEP' },
  })
}
