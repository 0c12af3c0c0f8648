import { Fault } from '../../core/faults.ts'
import type { AttachmentTarget } from '../../core/gateway-port.ts'
import { attachedTo, checkPolicy } from '../checked-first.ts'
import { command, type Io } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'

type Deps = Pick<CliDeps, 'presence' | 'registry' | 'identity'>

const ARGUMENTS = [{ name: 'policy', summary: 'its name' }] as const
const OPTIONS = {
  server: { summary: 'every call at this server, whoever makes it', value: 'NAME' },
  grant: { summary: 'the calls of one grant', value: 'ID' },
} as const

export const policyAttach = command({
  name: 'policy attach',
  summary: 'Judge the calls of a server or grant by a policy.',
  about: [
    'A call has to pass every policy of its server and of its grant, and all their limits count. With none it is denied.',
  ],
  gated: true,
  arguments: ARGUMENTS,
  options: OPTIONS,
  examples: [['sallyport policy attach read-only --server files', 'from the next second on']],
  async run(args, io, deps: Deps) {
    const to = targetOf(args)
    await checkPolicy(deps, args.policy)
    await attachedTo(deps, to)
    const caller = await asPerson(deps, io, {
      action: `have the calls of ${shown(to)} judged by the policy ${args.policy}`,
      detail: null,
    })
    const left = await (await deps.registry()).policies.attach(caller, args.policy, to)
    await say(io, to, left)
  },
})

export const policyDetach = command({
  name: 'policy detach',
  summary: 'Judge them by it no longer.',
  about: ['What is left judges them; with nothing left every call is denied.'],
  gated: true,
  arguments: ARGUMENTS,
  options: OPTIONS,
  async run(args, io, deps: Deps) {
    const from = targetOf(args)
    if (!(await attachedTo(deps, from)).includes(args.policy)) await checkPolicy(deps, args.policy)
    const caller = await asPerson(deps, io, {
      action: `no longer have the calls of ${shown(from)} judged by the policy ${args.policy}`,
      detail: null,
    })
    const left = await (await deps.registry()).policies.detach(caller, args.policy, from)
    await say(io, from, left)
  },
})

/** @throws {Fault} `BAD_USAGE` unless it is exactly one of both */
function targetOf(args: {
  readonly server: string | undefined
  readonly grant: string | undefined
}): AttachmentTarget {
  const { server, grant } = args
  if (server !== undefined && grant === undefined) return { kind: 'server', name: server }
  if (grant !== undefined && server === undefined) return { kind: 'grant', id: grant }
  throw new Fault('BAD_USAGE', 'Name a server with --server, or a grant with --grant.', {
    details: { field: '--server' },
  })
}

function shown(target: AttachmentTarget): string {
  return target.kind === 'server' ? `the server ${target.name}` : `the grant ${target.id}`
}

function say(io: Io, target: AttachmentTarget, policies: readonly string[]): Promise<void> {
  return io.answer({ [target.kind]: nameOf(target), policies }, () =>
    policies.length === 0
      ? `No policy judges the calls of ${shown(target)} by itself.`
      : `The calls of ${shown(target)} are judged by: ${policies.join(' ')}.`,
  )
}

function nameOf(target: AttachmentTarget): string {
  return target.kind === 'server' ? target.name : target.id
}
