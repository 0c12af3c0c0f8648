import { Fault } from '../core/faults.ts'
import type { ServerTarget, UpstreamHeader } from '../core/gateway-port.ts'
import { checkedLimits } from '../core/server-limits.ts'

const MAX_WORDS = 256
const MAX_WORD = 8_192
const MAX_NAMED = 64
const MAX_URL = 2_048
const MAX_HEADER = 1_024
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
/** A field name of RFC 9110. */
const HEADER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/
const REFERENCE = /secret:\/\/[A-Za-z0-9_]/
const PRINTABLE = /^[\x20-\x7e]+$/

/** The gateway says these itself, for each request anew. */
const OWN_HEADERS =
  /^(?:host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|content-.*|accept.*|cookie|origin|last-event-id|mcp-.*|traceparent|tracestate|proxy-.*)$/i

/**
 * @param isKept whether others can look it up: then the values of headers must stand in the vault
 * @throws {Fault} `BAD_INPUT` naming the field
 */
export function checkedTarget(target: ServerTarget, isKept = true): ServerTarget {
  const limits = checkedLimits(target.limits ?? {})
  const own = Object.keys(limits).length === 0 ? {} : { limits }
  return target.kind === 'stdio'
    ? {
        kind: 'stdio',
        command: checkedCommand(target.command),
        variables: checkedVariables(target.variables),
        ...own,
      }
    : {
        kind: 'http',
        url: checkedUrl(target.url),
        headers: checkedHeaders(target.headers, isKept),
        ...own,
      }
}

function checkedCommand(command: readonly string[]): readonly string[] {
  if (command.length === 0 || command[0] === '')
    throw bad('command', 'must name a program to start')
  if (command.length > MAX_WORDS) throw bad('command', `must have at most ${MAX_WORDS} words`)
  if (!command.every((word) => word.length <= MAX_WORD && word.isWellFormed()))
    throw bad('command', `must have words of at most ${MAX_WORD} characters`)
  if (command.some((word) => word.includes('\0')))
    throw bad('command', 'must not hold a NUL character')
  return [...command]
}

function checkedVariables(names: readonly string[]): readonly string[] {
  const all = [...new Set(names)]
  if (all.length > MAX_NAMED) throw bad('env', `must name at most ${MAX_NAMED} variables`)
  if (!all.every((name) => VARIABLE.test(name)))
    throw bad('env', 'must be a name of a variable, without its value')
  return all
}

function checkedUrl(text: string): string {
  const url = text.length <= MAX_URL ? URL.parse(text) : null
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw bad('url', `must be an http or https address of at most ${MAX_URL} characters`)
  if (url.username !== '' || url.password !== '')
    throw bad('url', 'must not hold a user or password: use --header and a secret')
  if (url.hash !== '') throw bad('url', 'must not have a fragment')
  return url.href
}

function checkedHeaders(
  headers: readonly UpstreamHeader[],
  isKept: boolean,
): readonly UpstreamHeader[] {
  if (headers.length > MAX_NAMED) throw bad('header', `must be at most ${MAX_NAMED}`)
  const seen = new Set<string>()
  return headers.map(({ name, value }) => {
    if (!HEADER.test(name)) throw bad('header', 'must be NAME=secret://PATH')
    if (OWN_HEADERS.test(name)) throw bad('header', `must not be '${name}': the gateway sets it`)
    if (seen.has(name.toLowerCase())) throw bad('header', `names '${name}' twice`)
    seen.add(name.toLowerCase())
    // A value that stood here would be read by whoever may list servers.
    if (isKept && !REFERENCE.test(value))
      throw bad('header', `'${name}' must take its value from the vault: ${name}=secret://PATH`)
    if (!PRINTABLE.test(value) || value.length > MAX_HEADER)
      throw bad('header', `'${name}' must have at most ${MAX_HEADER} characters of ASCII`)
    return { name, value }
  })
}

function bad(field: string, problem: string): Fault {
  return new Fault('BAD_INPUT', `${field} ${problem}.`, { details: { field } })
}
