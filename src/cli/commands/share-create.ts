import { Fault } from '../../core/faults.ts'
import type { ShareRequest } from '../../core/share-port.ts'
import { systemClock } from '../../core/time.ts'
import { agentNamed } from '../agent-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { momentOption, PATH_ARGUMENT, VAULT_OPTION, wholeNumber } from '../options.ts'
import { asPerson } from '../presence.ts'
import { printOnce } from '../print-secret.ts'
import { shareJson } from '../share-view.ts'
import { instant } from '../text.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity' | 'defaultVault' | 'promptHidden'>

export const shareCreate = command({
  name: 'share create',
  summary: 'Share a secret with an agent, a person or whoever has a link.',
  about: [
    'A share reads the version that is current when it is opened, and every opening counts as a read. Links are opened at the server that sallyport up runs.',
  ],
  gated: true,
  arguments: [PATH_ARGUMENT],
  options: {
    agent: { summary: 'name or id of the agent it is for', value: 'NAME' },
    user: { summary: 'id of the person it is for', value: 'ID' },
    link: { summary: 'for whoever has the link' },
    email: { summary: 'with --link: for whom it is meant; nothing is sent', value: 'ADDRESS' },
    expires: { summary: 'when it ends: 8h, 7d, or a date and time with a zone', value: 'TIME' },
    reads: { summary: 'how often it may be opened', value: 'N' },
    passphrase: { summary: 'ask for a passphrase that opening it takes' },
    from: {
      summary: 'only from this address or range',
      value: 'CIDR',
      repeats: true,
    },
    ...VAULT_OPTION,
  },
  examples: [
    ['sallyport share create db/url --agent deploy --expires 1d --reads 1', 'once, until tomorrow'],
    ['sallyport share create db/url --link --passphrase --expires 8h', 'a link and a passphrase'],
  ],
  async run(args, io, deps: Deps) {
    const given = [args.agent, args.user, args.link ? 'link' : undefined].filter(
      (one) => one !== undefined,
    )
    if (given.length !== 1) throw new Fault('BAD_USAGE', 'Give one of --agent, --user and --link.')
    if (args.expires === undefined)
      throw new Fault('BAD_USAGE', 'Give --expires: no share is for ever.')
    const expiresAt = momentOption('--expires', args.expires, 'ahead', systemClock())
    const maxAccessCount =
      args.reads === undefined ? null : wholeNumber('--reads', args.reads, { min: 1 })
    const caller = await asPerson(deps, io, {
      action: `share ${args.path} with ${args.agent ?? args.user ?? 'whoever has the link'}`,
      detail: `until ${instant(expiresAt)}`,
    })
    const { agents, shares } = await deps.identity()
    const recipient: Pick<ShareRequest, 'recipientType' | 'recipientId' | 'email'> =
      args.agent !== undefined
        ? { recipientType: 'agent', recipientId: (await agentNamed(agents, caller, args.agent)).id }
        : args.user !== undefined
          ? { recipientType: 'user', recipientId: args.user }
          : args.email === undefined
            ? { recipientType: 'anyone_with_link' }
            : { recipientType: 'external_email', email: args.email }
    const passphrase = args.passphrase
      ? await deps.promptHidden('Passphrase of the share', io.signal)
      : undefined
    const { share, link } = await shares.create(
      caller,
      { vault: args.vault ?? deps.defaultVault(), path: args.path },
      {
        ...recipient,
        expiresAt,
        maxAccessCount,
        ...(passphrase === undefined ? {} : { passphrase }),
        ...(args.from.length === 0 ? {} : { ipAllowlist: args.from }),
      },
    )
    if (link === null) {
      await io.answer(shareJson(share), () => `Shared as ${share.id}.`)
      return
    }
    await printOnce(
      link,
      io,
      (text) => ({ ...shareJson(share), link: `/share/${share.id}#${text}` }),
      (text) => `/share/${share.id}#${text}`,
    )
    if (!io.json)
      await io.say('It follows the address of the server. What is behind the # is shown this once.')
  },
})
