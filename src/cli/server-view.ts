import type { ServerInfo, ServerTarget, UpstreamHeader } from '../core/gateway-port.ts'
import { toIso } from '../core/time.ts'
import type { Json } from './command.ts'
import { fields, instant } from './text.ts'

export const SERVER_ARGUMENT = { name: 'name', summary: 'the server' } as const

/** `NAME=VALUE`; what is wrong with either is for the gateway to say. */
export function headerOf(text: string): UpstreamHeader {
  const at = text.indexOf('=')
  return at === -1
    ? { name: text, value: '' }
    : { name: text.slice(0, at), value: text.slice(at + 1) }
}

export function serverJson(server: ServerInfo): { readonly [name: string]: Json } {
  return {
    name: server.name,
    ...targetJson(server.target),
    policies: server.policies,
    created_at: toIso(server.createdAt),
    created_by: server.createdBy,
    changed_at: toIso(server.changedAt),
  }
}

function targetJson(target: ServerTarget): { readonly [name: string]: Json } {
  return target.kind === 'stdio'
    ? { kind: 'stdio', command: target.command, env: target.variables }
    : {
        kind: 'http',
        url: target.url,
        headers: target.headers.map(({ name, value }) => ({ name, value })),
      }
}

/** How it is reached, in a line. */
export function targetLine(target: ServerTarget): string {
  return target.kind === 'http' ? target.url : target.command.map(shellWord).join(' ')
}

export function serverText(server: ServerInfo): string {
  const { target } = server
  return fields([
    ['name', server.name],
    [target.kind === 'http' ? 'url' : 'command', targetLine(target)],
    target.kind === 'http'
      ? ['headers', target.headers.map(({ name, value }) => `${name}=${value}`).join(', ') || '-']
      : ['env', target.variables.join(' ') || '-'],
    ['policies', policiesText(server.policies)],
    ['added', `${instant(server.createdAt)} by ${server.createdBy}`],
    ['changed', instant(server.changedAt)],
  ])
}

export function policiesText(policies: readonly string[]): string {
  return (
    policies.join(' ') || 'none of its own: calls are judged by those of their grants, or denied'
  )
}

/** Quoted where a shell would take it for more than one word. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
