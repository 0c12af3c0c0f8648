import type { ServerInfo, ServerTarget, UpstreamHeader } from '../core/gateway-port.ts'
import { LIMIT_NAMES, LIMITS, limitText, type OwnLimits } from '../core/server-limits.ts'
import { toIso } from '../core/time.ts'
import type { LoginInfo } from '../core/upstream-login-port.ts'
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
    limits: limitTexts(server.target.limits ?? {}),
    policies: server.policies,
    created_at: toIso(server.createdAt),
    created_by: server.createdBy,
    changed_at: toIso(server.changedAt),
  }
}

export function loginJson(login: LoginInfo): { readonly [name: string]: Json } {
  return {
    server: login.server,
    state: login.state,
    issuer: login.issuer,
    client: login.client,
    client_id: login.clientId,
    scopes: login.scopes,
    missing_scopes: login.missing,
    logged_in_at: toIso(login.loggedInAt),
    logged_in_by: login.loggedInBy,
    renewed_at: toIso(login.renewedAt),
    expires_at: login.expiresAt === null ? null : toIso(login.expiresAt),
  }
}

/** In a line. */
function loginText(login: LoginInfo | null, name: string): string {
  if (login === null) return `none; if it wants one: sallyport server login ${name}`
  const again = `log in again: sallyport server login ${name}`
  if (login.state === 'needed') return `ended at ${login.issuer}; ${again}`
  if (login.state === 'refused')
    return `at ${login.issuer}, but the server does not take its token of ${instant(login.renewedAt)}; ${again}`
  const scopes = login.scopes.length === 0 ? '' : `, scopes ${login.scopes.join(' ')}`
  const lacks = login.missing.length === 0 ? '' : `; it wants ${login.missing.join(' ')}: ${again}`
  return `at ${login.issuer} since ${instant(login.loggedInAt)}${scopes}${lacks}`
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

function limitTexts(limits: OwnLimits): Readonly<Record<string, string>> {
  return Object.fromEntries(
    LIMIT_NAMES.flatMap((name) => {
      const value = limits[LIMITS[name].key]
      return value === undefined ? [] : [[name, limitText(name, value)]]
    }),
  )
}

/** How it is reached, in a line. */
export function targetLine(target: ServerTarget): string {
  return target.kind === 'http' ? target.url : target.command.map(shellWord).join(' ')
}

/** @param login of a server with an address; null where nobody logged in */
export function serverText(server: ServerInfo, login: LoginInfo | null): string {
  const { target } = server
  return fields([
    ['name', server.name],
    [target.kind === 'http' ? 'url' : 'command', targetLine(target)],
    target.kind === 'http'
      ? ['headers', target.headers.map(({ name, value }) => `${name}=${value}`).join(', ') || '-']
      : ['env', target.variables.join(' ') || '-'],
    ...(target.kind === 'http' ? [['login', loginText(login, server.name)] as const] : []),
    ['policies', policiesText(server.policies)],
    [
      'limits',
      Object.entries(limitTexts(target.limits ?? {}))
        .map(([name, value]) => `${name}=${value}`)
        .join(' ') || 'the usual ones: SALLYPORT_SERVER_LIMITS',
    ],
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
