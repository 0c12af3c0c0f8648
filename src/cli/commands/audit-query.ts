import { auditJson, auditTable } from '../audit-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { instantOption, wholeNumber } from '../options.ts'

type Deps = Pick<CliDeps, 'audit'>

export const auditQuery = command({
  name: 'audit query',
  summary: 'Find records, newest first.',
  arguments: [],
  options: {
    action: { summary: 'only this action; secret.* is all of secret', value: 'NAME' },
    actor: { summary: 'only by this actor, such as agent:local', value: 'NAME' },
    path: { summary: 'only about this secret', value: 'PATH' },
    server: { summary: 'only about this server behind the gateway', value: 'NAME' },
    tool: { summary: 'only about calls of this tool', value: 'NAME' },
    from: { summary: 'not before this time', value: 'TIME' },
    to: { summary: 'not after this time', value: 'TIME' },
    limit: { summary: 'at most so many; 50 without', value: 'N' },
    before: { summary: 'only records with a smaller number: the next page', value: 'SEQ' },
  },
  examples: [
    ['sallyport audit query --path api/stripe', 'who touched this secret'],
    ['sallyport audit query --server files --tool write_file', 'every call of a tool'],
    ['sallyport audit query --from 2026-11-20T00:00:00Z --json', 'everything since a time'],
  ],
  async run(args, io, deps: Deps) {
    const { action, actor, path, server, tool, from, to, limit, before } = args
    const filter = {
      ...(action === undefined ? {} : { action }),
      ...(actor === undefined ? {} : { actor }),
      ...(path === undefined ? {} : { path }),
      ...(server === undefined ? {} : { server }),
      ...(tool === undefined ? {} : { tool }),
      ...(from === undefined ? {} : { from: instantOption('--from', from) }),
      ...(to === undefined ? {} : { to: instantOption('--to', to) }),
      ...(limit === undefined
        ? {}
        : { limit: wholeNumber('--limit', limit, { min: 1, max: 1000 }) }),
      ...(before === undefined ? {} : { before: wholeNumber('--before', before, { min: 1 }) }),
    }
    const entries = await (await deps.audit()).query(filter)
    await io.answer({ entries: entries.map(auditJson) }, () => auditTable(entries, io.stdout))
    if (!io.json && entries.length === 0) await io.say('No record matches.')
  },
})
