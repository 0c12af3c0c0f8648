/** Where counters stand that many nodes share: a server that speaks Redis' protocol. */
export interface CountersAddress {
  readonly at:
    | { readonly host: string; readonly port: number }
    /** A socket on this machine. */
    | { readonly path: string }
  readonly isTls: boolean
  readonly username: string | null
  readonly password: string | null
  /** Number of the database there. */
  readonly database: number
  /** The address without who asks: what logs and messages name. */
  readonly shown: string
}

const DEFAULT_PORT = 6379
const MAX_DATABASE = 1_000_000
const OPTIONS: ReadonlySet<string> = new Set(['db', 'username', 'password'])

/**
 * Reads `redis://USER:PASSWORD@HOST:PORT/DB`, `rediss://…` (TLS), or `unix:///SOCKET?db=0&username=…&password=…`.
 *
 * @returns what is wrong, as the end of a sentence that holds nothing of the address
 */
export function parseCountersAddress(text: string): CountersAddress | string {
  const url = URL.parse(text)
  if (url === null) return 'must be an address such as redis://localhost:6379.'
  if (url.protocol === 'unix:') return socketAddress(url)
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    return 'must begin with redis://, rediss:// or unix://.'
  if (url.hostname === '') return 'names no host.'
  if (url.search !== '' || url.hash !== '') return 'must end with the number of a database.'
  const database = databaseNumber(url.pathname.replace(/^\//, ''))
  if (database === null) return 'must end with the number of a database, or without one.'
  const username = decoded(url.username)
  const password = decoded(url.password)
  if (username === undefined || password === undefined)
    return 'has a user or password that is not percent-encoded.'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port)
  return {
    at: { host, port },
    isTls: url.protocol === 'rediss:',
    username,
    password,
    database,
    shown: `${url.protocol}//${url.hostname}:${port}/${database}`,
  }
}

function socketAddress(url: URL): CountersAddress | string {
  if (url.host !== '' || !/^\/./.test(url.pathname) || url.hash !== '')
    return 'must name a socket by its whole path, such as unix:///run/redis/redis.sock.'
  const options = url.searchParams
  if ([...options.keys()].some((name) => !OPTIONS.has(name)) || options.getAll('db').length > 1)
    return 'may have db, username and password behind the path of a socket, and nothing else.'
  const database = databaseNumber(options.get('db') ?? '')
  const path = decoded(url.pathname)
  if (database === null || path === undefined || path === null)
    return 'must have the number of a database in db.'
  return {
    at: { path },
    isTls: false,
    username: options.get('username'),
    password: options.get('password'),
    database,
    shown: `unix://${path}?db=${database}`,
  }
}

function databaseNumber(text: string): number | null {
  if (text === '') return 0
  return /^\d{1,7}$/.test(text) && Number(text) <= MAX_DATABASE ? Number(text) : null
}

/** @returns undefined when it is not percent-encoded, null when there is none */
function decoded(text: string): string | null | undefined {
  try {
    return text === '' ? null : decodeURIComponent(text)
  } catch {
    return undefined
  }
}
