import { ROLES } from '../../core/identity-port.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { showLink } from '../people-view.ts'
import { asPerson } from '../presence.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity' | 'site'>

export const peopleInvite = command({
  name: 'people invite',
  summary: 'Print a link on which somebody makes an account.',
  gated: true,
  arguments: [{ name: 'email', summary: 'whose account it will be' }],
  options: {
    role: { summary: 'what the account may do; member', value: 'ROLE', choices: ROLES },
  },
  examples: [['sallyport people invite bo@example.org --role admin', 'may administer, too']],
  async run(args, io, deps: Deps) {
    const { email, role = 'member' } = args
    const caller = await asPerson(deps, io, {
      action: `invite ${email}`,
      detail: `as ${role}`,
    })
    const { people } = await (await deps.identity()).people()
    await showLink(await people.invite(caller, { email, role }), deps.site(), io)
  },
})
