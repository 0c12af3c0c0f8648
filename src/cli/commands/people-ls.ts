import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { personJson } from '../people-view.ts'
import { instant, table, visible } from '../text.ts'

type Deps = Pick<CliDeps, 'caller' | 'identity'>

export const peopleLs = command({
  name: 'people ls',
  summary: 'List the people with an account.',
  arguments: [],
  options: {},
  async run(_, io, deps: Deps) {
    const { people } = await (await deps.identity()).people()
    const list = await people.list(await deps.caller())
    await io.answer({ people: list.map(personJson) }, () =>
      list.length === 0
        ? ''
        : table(
            ['E-MAIL', 'NAME', 'ROLE', 'STATE', 'SINCE'],
            list.map((one) => [
              visible(one.email),
              visible(one.name ?? '-'),
              one.role,
              one.isActive ? 'active' : 'disabled',
              instant(one.createdAt),
            ]),
            io.stdout,
          ),
    )
  },
})
