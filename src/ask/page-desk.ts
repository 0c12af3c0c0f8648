import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { SecretQuestion } from '../core/ask-port.ts'
import { Fault, type FaultCode } from '../core/faults.ts'
import { SecretText } from '../core/secret-text.ts'
import { type Clock, sleep, systemClock } from '../core/time.ts'
import { MAX_VALUE_BYTES } from '../core/vault-port.ts'
import { type AskForm, readForm } from './page-form.ts'
import { hostOf, isLoopbackAddress, mayBeSubmitted, mayBeViewed } from './page-guards.ts'
import { CLOSE, ENDINGS, type Ending, ended, form, note, OTHER_BROWSER } from './page-replies.ts'
import { type PageServer, servePages } from './page-server.ts'
import { type ShownQuestion, shownQuestion } from './shown-text.ts'

/** What became of the value, for the last page: the version it was stored as, or a sentence that says why it was not. */
export type PageConclusion = { readonly storedVersion: number } | { readonly failure: string }

export interface OpenPage {
  /** `http://127.0.0.1:PORT/ask/TOKEN`: one browser, one answer. */
  readonly url: string
  /**
   * Rejects with {Fault} `INPUT_CANCELLED`, `INPUT_EMPTY` (three times without a value), `INPUT_TOO_LONG`,
   * `INPUT_TIMED_OUT`. A rejection that nobody listens to is not an unhandled one.
   */
  readonly answer: Promise<{ readonly value: SecretText; readonly via: 'page' }>
  /** Tells the waiting browser what became of the value. Without it the page says only that it was received. */
  conclude(conclusion: PageConclusion): void
  /** Withdraws the question: the page says so and `answer` rejects with `INPUT_CANCELLED`. */
  cancel(): void
}

export interface AskedOptions {
  readonly signal?: AbortSignal
  readonly ttlMs?: number
  /** Ids of the people who may open it, signed in, from anywhere. Left out: whoever is at this machine. */
  readonly openers?: ReadonlySet<string>
}

/** Who opens a page. */
export interface PageVisitor {
  /** Address of the peer. */
  readonly remoteAddress: string | null
  /** On a server where people sign in: on which of its origins, and who; null when the request came to none of them. */
  readonly visitor?: { readonly origin: string; readonly userId: string | null } | null
}

/** Asks for values on one-time pages that a browser on this machine can open, or the people who are named. */
export interface PageDesk {
  /** Where pages are served, `http://127.0.0.1:PORT`, or null until the desk has started its own server. */
  readonly baseUrl: string | null
  open(question: SecretQuestion, options?: AskedOptions): Promise<OpenPage>
  /**
   * Answers requests below `/ask/`; null for every other path. For a server that mounts the desk. Pages without
   * `openers` are served to loopback only, the others to those whom they name.
   */
  fetch(request: Request, from: PageVisitor): Promise<Response | null>
  /** Withdraws all open questions and ends the desk's own server. */
  close(): Promise<void>
}

export interface PageDeskOptions {
  /** Address of the server that mounts `fetch`. Without it the desk starts its own server when first needed. */
  readonly mountedAt?: string
  readonly clock?: Clock
  /** How long a page can be answered. Default 5 minutes. */
  readonly ttlMs?: number
  /** How long the browser waits to hear that the value was stored. Default 10 seconds. */
  readonly concludeMs?: number
}

const TTL_MS = 5 * 60_000
const CONCLUDE_MS = 10_000
const MAX_EMPTY = 3
/** Pages that have ended are remembered this long, to say why they don't open any more. */
const REMEMBER_MS = 10 * 60_000
const MAX_REMEMBERED = 200

interface AskedPage {
  readonly shown: ShownQuestion
  /** Path of the secret. */
  readonly path: string
  readonly urlPath: string
  readonly openers: ReadonlySet<string> | null
  readonly expiresAt: number
  /** Hash of the cookie of the browser that opened the page first. */
  browser: Buffer | null
  csrf: string
  empties: number
  ending: Ending | null
  /** Ends the question once; false when it had ended before. */
  end(ending: Ending, outcome: SecretText | Fault): boolean
  readonly concluded: Promise<PageConclusion>
}

export function createPageDesk(options: PageDeskOptions = {}): PageDesk {
  const clock = options.clock ?? systemClock
  const concludeMs = options.concludeMs ?? CONCLUDE_MS
  const pages = new Map<string, AskedPage>()
  let server: Promise<PageServer> | null = null
  let baseUrl = options.mountedAt === undefined ? null : new URL(options.mountedAt).origin

  async function startedUrl(): Promise<string> {
    if (baseUrl !== null) return baseUrl
    server ??= servePages(answerRequest)
    const started = await server.catch((cause: unknown) => {
      server = null
      throw new Fault(
        'INPUT_UNAVAILABLE',
        'The page for entering the secret could not be served.',
        {
          cause,
        },
      )
    })
    baseUrl = started.url
    return baseUrl
  }

  async function open(
    question: SecretQuestion,
    { signal, ttlMs = options.ttlMs ?? TTL_MS, openers }: AskedOptions = {},
  ): Promise<OpenPage> {
    const base = await startedUrl()
    const token = randomBytes(32).toString('base64url')
    const urlPath = `/ask/${token}`
    const answered = Promise.withResolvers<SecretText>()
    const concluded = Promise.withResolvers<PageConclusion>()
    const fault = (code: FaultCode, text: string): Fault =>
      new Fault(code, text, { details: { path: question.path } })
    const page: AskedPage = {
      shown: shownQuestion(question),
      path: question.path,
      urlPath,
      openers: openers ?? null,
      expiresAt: clock() + ttlMs,
      browser: null,
      csrf: '',
      empties: 0,
      ending: null,
      end(ending, outcome) {
        if (page.ending !== null) return false
        page.ending = ending
        clearTimeout(expiry)
        signal?.removeEventListener('abort', withdraw)
        setTimeout(() => pages.delete(keyOf(token)), REMEMBER_MS).unref()
        if (outcome instanceof Fault) answered.reject(outcome)
        else answered.resolve(outcome)
        return true
      },
      concluded: concluded.promise,
    }
    const withdraw = (): void =>
      void page.end(
        ENDINGS.withdrawn,
        fault('INPUT_CANCELLED', `The question for '${question.path}' was withdrawn.`),
      )
    const expiry = setTimeout(() => expire(page), ttlMs)
    expiry.unref()
    answered.promise.catch(() => {})
    pages.set(keyOf(token), page)
    forgetOldest(pages)
    if (signal?.aborted === true) withdraw()
    else signal?.addEventListener('abort', withdraw, { once: true })
    return {
      url: `${base}${urlPath}`,
      answer: quiet(answered.promise.then((value) => ({ value, via: 'page' as const }))),
      conclude: concluded.resolve,
      cancel: withdraw,
    }
  }

  async function answerRequest(
    request: Request,
    { remoteAddress, visitor = null }: PageVisitor,
  ): Promise<Response | null> {
    const { pathname } = new URL(request.url)
    if (pathname !== '/ask' && !pathname.startsWith('/ask/')) return null
    const named = pages.get(keyOf(pathname.slice('/ask/'.length)))
    if (named !== undefined && named.openers !== null)
      return answerNamed(request, named, named.openers, visitor)
    const host = hostOf(request)
    const own = baseUrl === null ? null : new URL(baseUrl).port
    if (!isLoopbackAddress(remoteAddress) || host === null || host.port !== (own || '80'))
      return note(403, 'Not from here', 'This page opens only in a browser on this machine.')
    const page = pages.get(keyOf(pathname.slice('/ask/'.length)))
    if (page === undefined)
      return note(404, 'No such page', 'Sallyport has no open question at this address.')
    return answer(request, page, host.origin)
  }

  async function answerNamed(
    request: Request,
    page: AskedPage,
    openers: ReadonlySet<string>,
    visitor: NonNullable<PageVisitor['visitor']> | null,
  ): Promise<Response> {
    if (visitor === null)
      return note(403, 'Not from here', 'Open this page at the address of the server.')
    if (visitor.userId === null)
      return new Response(null, {
        status: 303,
        headers: { location: `/sign-in?to=${page.urlPath}`, 'cache-control': 'no-store' },
      })
    if (!openers.has(visitor.userId))
      return note(403, 'Not for you', 'Only the people to whom the asking agent belongs answer it.')
    return answer(request, page, visitor.origin)
  }

  async function answer(request: Request, page: AskedPage, origin: string): Promise<Response> {
    if (request.method === 'GET') return await view(request, page, origin)
    if (request.method === 'POST') return await submit(request, page, origin)
    return note(405, 'Not possible', 'This page can be opened and answered, nothing else.', {
      allow: 'GET, POST',
    })
  }

  async function view(request: Request, page: AskedPage, origin: string): Promise<Response> {
    if (!mayBeViewed(request))
      return note(403, 'Not this way', 'Open the address of this page in a browser window.')
    if (page.ending !== null) return ended(page.ending)
    if (hasExpired(page)) return ended(expire(page))
    if (page.browser !== null)
      return isBrowserOf(page, request) ? form(page, 200, null) : ended(OTHER_BROWSER)
    const cookie = randomBytes(32).toString('base64url')
    page.browser = hashOf(cookie)
    page.csrf = randomBytes(32).toString('base64url')
    return form(page, 200, null, {
      'set-cookie': `${COOKIE}=${cookie}; Path=${page.urlPath}; HttpOnly; SameSite=Strict${origin.startsWith('https:') ? '; Secure' : ''}`,
    })
  }

  async function submit(request: Request, page: AskedPage, origin: string): Promise<Response> {
    if (!mayBeSubmitted(request, origin))
      return note(403, 'Not this way', 'The form can be sent only from its own page.')
    if (page.ending !== null) return ended(page.ending)
    if (hasExpired(page)) return ended(expire(page))
    if (page.browser === null || !isBrowserOf(page, request)) return ended(OTHER_BROWSER)
    const sent = await readForm(request)
    if (!isEqual(sent.csrf, page.csrf))
      return note(403, 'Not this form', 'Open the page again and use the form on it.')
    return await judge(page, sent)
  }

  async function judge(page: AskedPage, sent: AskForm): Promise<Response> {
    const { path } = page
    switch (sent.kind) {
      case 'cancel':
        page.end(
          ENDINGS.cancelled,
          new Fault('INPUT_CANCELLED', `The person cancelled entering '${path}'.`, {
            details: { path },
          }),
        )
        // A second cancel finds the same ending; after an answer it is told that it came too late.
        return ended(page.ending ?? ENDINGS.cancelled, page.ending === ENDINGS.cancelled)
      case 'too-long':
        page.end(
          ENDINGS.tooLong,
          new Fault('INPUT_TOO_LONG', `The value for '${path}' has more than 65536 bytes.`, {
            details: { path, limit: MAX_VALUE_BYTES },
          }),
        )
        return ended(page.ending ?? ENDINGS.tooLong)
      case 'malformed':
        return form(page, 400, sent.problem)
      case 'empty': {
        page.empties += 1
        if (page.empties < MAX_EMPTY) return form(page, 422, 'Type or paste the value first.')
        page.end(
          ENDINGS.empty,
          new Fault('INPUT_EMPTY', `The person sent no value for '${path}'.`, {
            details: { path },
          }),
        )
        return ended(page.ending ?? ENDINGS.empty)
      }
      case 'value': {
        const value = new SecretText(sent.value)
        if (!page.end(ENDINGS.received, value)) {
          value.wipe()
          return ended(page.ending ?? ENDINGS.received)
        }
        return await conclusionPage(page)
      }
    }
  }

  async function conclusionPage(page: AskedPage): Promise<Response> {
    const waiting = new AbortController()
    const conclusion = await Promise.race([
      page.concluded,
      sleep(concludeMs, waiting.signal).then(
        () => null,
        () => null,
      ),
    ])
    waiting.abort()
    if (conclusion === null)
      return note(
        200,
        'Received',
        `Sallyport has the value for ${page.path}. The agent’s answer will say whether it was stored. ${CLOSE}`,
      )
    if ('failure' in conclusion) return note(500, 'Not stored', `${conclusion.failure} ${CLOSE}`)
    return note(
      200,
      'Stored',
      `${page.path} is stored as version ${conclusion.storedVersion}. ${CLOSE}`,
    )
  }

  function hasExpired(page: AskedPage): boolean {
    return clock() >= page.expiresAt
  }

  async function close(): Promise<void> {
    for (const page of pages.values())
      page.end(
        ENDINGS.withdrawn,
        new Fault('INPUT_CANCELLED', `The question for '${page.path}' was withdrawn.`),
      )
    pages.clear()
    const running = await server?.catch(() => null)
    server = null
    if (options.mountedAt === undefined) baseUrl = null
    await running?.close()
  }

  return {
    get baseUrl() {
      return baseUrl
    },
    open,
    fetch: answerRequest,
    close,
  }
}

const COOKIE = 'sallyport-ask'
function expire(page: AskedPage): Ending {
  const { path } = page
  page.end(
    ENDINGS.expired,
    new Fault('INPUT_TIMED_OUT', `Nobody entered '${path}' in time.`, { details: { path } }),
  )
  return page.ending ?? ENDINGS.expired
}

/** The map is keyed by a hash, so that how long a look-up takes says nothing about a token. */
function keyOf(token: string): string {
  return hashOf(token).toString('base64')
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function isEqual(left: string, right: string): boolean {
  return timingSafeEqual(hashOf(left), hashOf(right))
}

function isBrowserOf(page: AskedPage, request: Request): boolean {
  const expected = page.browser
  if (expected === null) return false
  return (request.headers.get('cookie') ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${COOKIE}=`))
    .some((pair) => timingSafeEqual(hashOf(pair.slice(COOKIE.length + 1)), expected))
}

function forgetOldest(pages: Map<string, AskedPage>): void {
  if (pages.size <= MAX_REMEMBERED) return
  for (const [key, page] of pages)
    if (page.ending !== null) {
      pages.delete(key)
      return
    }
}

function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
