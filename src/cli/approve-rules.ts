import type { Io } from './command.ts'
import type { CliDeps, RulesDraft } from './deps.ts'
import { asPerson } from './presence.ts'
import { plural, visible } from './text.ts'

/** A question shows at most this much of what the file says. */
const MAX_DETAIL = 280

/** Shows what the file would say, then the gate, then writes and approves exactly that. */
export async function approveRules(
  draft: RulesDraft,
  action: string,
  io: Io,
  deps: Pick<CliDeps, 'inspectionRules' | 'presence'>,
): Promise<void> {
  if (!io.json) await io.say(['Inspection, beside its defaults:', ...shown(draft)].join('\n'))
  const all = draft.lines.join('; ')
  const caller = await asPerson(deps, io, {
    action,
    detail:
      all.length <= MAX_DETAIL
        ? `the inspection file then says: ${all === '' ? 'nothing' : all}`
        : `the inspection file then says ${plural(draft.lines.length, 'thing')}; look at the list before you go on`,
  })
  await (await deps.inspectionRules()).approve(caller, draft)
}

function shown({ lines }: RulesDraft): readonly string[] {
  return lines.length === 0 ? ['  nothing'] : lines.map((one) => `  ${visible(one)}`)
}
