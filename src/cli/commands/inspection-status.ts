import { command } from '../command.ts'
import type { CliDeps, RulesStanding } from '../deps.ts'
import { isoOrNull } from '../secret-view.ts'
import { instant, visible } from '../text.ts'

type Deps = Pick<CliDeps, 'inspectionRules'>

const STATES: Readonly<Record<RulesStanding['state'], string>> = {
  absent: 'There is none: the defaults hold.',
  approved: 'It holds as you approved it.',
  unapproved: 'Nothing of it is approved: only what is stricter than the defaults holds.',
  changed: 'It changed after you approved it: of the changes only what is stricter holds.',
  gone: 'It is gone: of what you approved, only what is stricter than the defaults holds.',
  invalid: 'It cannot be understood: calls are refused until it is mended.',
}

export const inspectionStatus = command({
  name: 'inspection status',
  summary: 'What the inspection file says, and whether it holds.',
  about: [
    'Any program of yours can write the file. What makes inspection stricter holds at once; what makes it weaker ' +
      'holds when you approved exactly these bytes.',
  ],
  arguments: [],
  options: {},
  async run(_args, io, deps: Deps) {
    const standing = await (await deps.inspectionRules()).standing()
    const { file, state, problem, lines, missing, approvedAt } = standing
    await io.answer(
      { file, state, problem, rules: lines, missing, approved_at: isoOrNull(approvedAt) },
      () =>
        [
          `${visible(file)}${approvedAt === null ? '' : `, approved ${instant(approvedAt)}`}`,
          STATES[state],
          ...(problem === null ? [] : [visible(problem)]),
          ...listed('It says:', lines),
          ...listed('It said when it was approved, and no longer does:', missing),
          ...(state === 'unapproved' || state === 'changed'
            ? ['', 'To make all of it hold: sallyport inspection approve']
            : []),
        ].join('\n'),
    )
  },
})

function listed(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((one) => `  ${visible(one)}`)]
}
