import type { CanaryInfo } from '../../core/canary-port.ts'
import { Fault } from '../../core/faults.ts'
import { toIso } from '../../core/time.ts'
import { command, type Json, type Output } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { VAULT_OPTION } from '../options.ts'
import { asPerson } from '../presence.ts'
import { instant, table } from '../text.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity' | 'defaultVault'>

export const secretCanary = command({
  name: 'secret canary',
  summary: 'Have a path ring at any touch, or list those that do.',
  about: [
    'Store a value that opens nothing at a path that nobody has a reason to ask for. Reading, using, sharing, describing or changing it, and trying to, is recorded as canary.triggered, logged as an error and told to webhooks.',
  ],
  gated: true,
  arguments: [{ name: 'path', summary: 'the secret; nothing: all canaries', optional: true }],
  options: {
    on: { summary: 'it rings from now on' },
    off: { summary: 'it is a path like any other' },
    freeze: { summary: 'with --on: whoever asks for it is frozen' },
    notes: { summary: 'with --on: what it is there for', value: 'TEXT' },
    ...VAULT_OPTION,
  },
  examples: [
    ['sallyport secret canary aws/root --on --freeze', 'whoever asks for it is stopped'],
    ['sallyport secret canary', 'which there are, and how often each rang'],
  ],
  async run(args, io, deps: Deps) {
    const { path } = args
    if (args.on && args.off) throw new Fault('BAD_USAGE', 'Give --on or --off, not both.')
    if (path === undefined && (args.on || args.off))
      throw new Fault('BAD_USAGE', 'Name the path that is to ring.')
    const isChange = path !== undefined && (args.on || args.off)
    const caller = await asPerson(deps, io, {
      action: isChange
        ? `turn the canary at ${path} ${args.on ? 'on' : 'off'}`
        : 'see where canaries are',
      detail: null,
    })
    const { canaries } = await deps.identity()
    const vault = args.vault ?? deps.defaultVault()
    if (isChange && args.on) {
      const made = await canaries.set(caller, vault, path, {
        freezes: args.freeze,
        notes: args.notes ?? null,
      })
      await io.answer(canaryJson(made), () => `Rings from now on: ${path}.`)
      return
    }
    if (isChange) {
      await canaries.remove(caller, vault, path)
      await io.answer({ path, on: false }, () => `No longer rings: ${path}.`)
      return
    }
    const all = await canaries.list(caller, vault)
    const shown = path === undefined ? all : all.filter((one) => one.path === path)
    await io.answer({ canaries: shown.map(canaryJson) }, () => canaryTable(shown, io.stdout))
  },
})

function canaryTable(canaries: readonly CanaryInfo[], out: Pick<Output, 'paint'>): string {
  if (canaries.length === 0) return 'There is none.'
  return table(
    ['PATH', 'RANG', 'LAST', 'FREEZES'],
    canaries.map((one) => [
      one.path,
      String(one.triggered),
      one.lastAt === null ? 'never' : instant(one.lastAt),
      one.freezes ? 'yes' : 'no',
    ]),
    out,
  )
}

function canaryJson(canary: CanaryInfo): { readonly [name: string]: Json } {
  return {
    path: canary.path,
    on: true,
    freezes: canary.freezes,
    notes: canary.notes,
    triggered: canary.triggered,
    last_at: canary.lastAt === null ? null : toIso(canary.lastAt),
  }
}
