import { MAX_VALUE_BYTES } from '../core/vault-port.ts'
import { formPage, notePage } from './page.ts'
import { newNonce, pageResponse } from './shell.ts'
import type { ShownQuestion } from './shown-text.ts'

/** What a page says once there is nothing more to answer. */
export interface Ending {
  readonly status: number
  readonly title: string
  readonly text: string
}

export const CLOSE = 'You can close this page.'
export const ENDINGS = {
  received: { status: 410, title: 'Already answered', text: `This page was used once. ${CLOSE}` },
  cancelled: { status: 410, title: 'Cancelled', text: `Nothing was stored. ${CLOSE}` },
  withdrawn: {
    status: 410,
    title: 'No longer needed',
    text: `The question was withdrawn and nothing was stored. ${CLOSE}`,
  },
  expired: {
    status: 410,
    title: 'Too late',
    text: 'Nobody answered in time, and nothing was stored. Ask the agent to try again.',
  },
  empty: {
    status: 410,
    title: 'No value',
    text: `The form was sent without a value three times, and nothing was stored. ${CLOSE}`,
  },
  tooLong: {
    status: 413,
    title: 'Too long',
    text: `A value can have at most ${MAX_VALUE_BYTES} bytes. Nothing was stored. ${CLOSE}`,
  },
} as const satisfies Record<string, Ending>

export const OTHER_BROWSER: Ending = {
  status: 403,
  title: 'Open elsewhere',
  text: 'This page was already opened in another browser or window, and only that one can answer. If that was not you, cancel the question in your client.',
}

/** The page with the form; `problem` says why it is shown again. */
export async function form(
  page: { readonly shown: ShownQuestion; readonly csrf: string },
  status: number,
  problem: string | null,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const nonce = newNonce()
  const body = await formPage(nonce, page.shown, { csrf: page.csrf, problem })
  return pageResponse(status, nonce, body, headers)
}

export function ended(ending: Ending, isFresh = false): Promise<Response> {
  return note(isFresh ? 200 : ending.status, ending.title, ending.text)
}

export async function note(
  status: number,
  title: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const nonce = newNonce()
  return pageResponse(status, nonce, await notePage(nonce, title, text), headers)
}
