import * as z from 'zod'
import { APPROVAL_STATUSES, type AskedState, type AskPeople } from '../core/approval-port.ts'
import { isFault } from '../core/faults.ts'
import type { Caller } from '../core/principals.ts'
import { toIso } from '../core/time.ts'
import type { ToolCall, VisitRequest } from '../mcp/index.ts'

/** Clients give up after 60 s, and not all of them wait longer for being told that something goes on. */
const WAIT_MS = 50_000
/** Of who has the page open: to sign in and to read takes its time. */
const WAIT_AT_PAGE_MS = 5 * 60_000

type WaitingCall = Pick<
  ToolCall<unknown>,
  'canVisit' | 'hearsProgress' | 'signal' | 'visit' | 'waitFor'
>

export interface Waiting {
  /** Without it nobody waits: the refusal says what to do. */
  readonly openPeople: (() => Promise<AskPeople>) | undefined
  readonly caller: Caller
  readonly mcp: WaitingCall
}

/** What a call may wait for at the most, seconds. */
export const MAX_WAIT_SECONDS = WAIT_MS / 1000

/** Waits until people have decided, or for so long; what they said is not answered here. */
async function untilDecided(
  people: AskPeople,
  caller: Caller,
  mcp: WaitingCall,
  id: string,
  how: string,
  ms: number,
): Promise<void> {
  const inTime = AbortSignal.timeout(ms)
  const signal = AbortSignal.any([mcp.signal, inTime])
  try {
    await mcp.waitFor(people.decided(caller, id, signal), how)
  } catch (error) {
    if (!inTime.aborted || mcp.signal.aborted) throw error
  }
}

/**
 * How a request stands, at once or after so long, if people have not decided before. A client that can open pages is
 * sent to the one where they do.
 */
export async function stateWithin(
  people: AskPeople,
  caller: Caller,
  mcp: WaitingCall,
  id: string,
  seconds: number,
): Promise<AskedState | VisitRequest> {
  const state = await people.state(caller, id)
  const { visit } = mcp
  const isLeft = visit !== null && visit.action !== 'accept' && visit.action !== 'unanswered'
  if (state.status !== 'pending' || seconds === 0 || isLeft) return state
  const isAtPage = visit?.action === 'accept'
  if (mcp.canVisit && state.url !== null && !isAtPage) return visitTo(id, state.url)
  const how = state.url ?? `sallyport approvals approve ${id}`
  const ms = isAtPage ? WAIT_AT_PAGE_MS : seconds * 1000
  await untilDecided(people, caller, mcp, id, `Approval ${id} waits for a person: ${how}`, ms)
  return people.state(caller, id)
}

/**
 * Does what a person may have to approve first. A client that can open a page is sent to it; one that asked for
 * progress is told on the way what the person has to do; any other gets the refusal, which says it too. Whoever waited
 * in vain gets the same refusal, and passes with the same call once there is a yes.
 *
 * @param act is done again, and judged anew, once a person has decided
 * @param waitMs how long is waited without a page
 */
export async function untilApproved<T extends object>(
  { openPeople, caller, mcp }: Waiting,
  act: () => Promise<T>,
  waitMs = WAIT_MS,
): Promise<T | VisitRequest> {
  const decided = async (id: string, how: string, ms: number): Promise<void> => {
    if (openPeople !== undefined) await untilDecided(await openPeople(), caller, mcp, id, how, ms)
  }
  if (mcp.visit !== null) {
    const { handle: id, action } = mcp.visit
    if (action === 'accept') await decided(id, 'Waiting for a person to decide.', WAIT_AT_PAGE_MS)
    else if (action === 'unanswered') {
      const state = await (await openPeople?.())?.state(caller, id)
      if (state?.status === 'pending' && state.url !== null) return visitTo(id, state.url)
    }
    return act()
  }
  try {
    return await act()
  } catch (error) {
    const waits = openPeople === undefined ? null : waitingOf(error)
    if (waits === null || openPeople === undefined) throw error
    const { id, title } = waits
    if (!mcp.canVisit && !mcp.hearsProgress) throw error
    const url = waits.url ?? (await (await openPeople()).state(caller, id)).url
    if (mcp.canVisit && url !== null) return visitTo(id, url, title)
    if (!mcp.hearsProgress) throw error
    const how = url === null ? `sallyport approvals approve ${id}` : url
    await decided(id, `${title ?? 'A call'} waits for a person: ${how}`, waitMs)
    return act()
  }
}

function waitingOf(
  error: unknown,
): { readonly id: string; readonly url: string | null; readonly title?: string } | null {
  if (!isFault(error, 'APPROVAL_REQUIRED')) return null
  const { approval, url, title } = error.details
  if (typeof approval !== 'string') return null
  return {
    id: approval,
    url: typeof url === 'string' ? url : null,
    ...(typeof title === 'string' && { title }),
  }
}

function visitTo(
  handle: string,
  url: string,
  title = 'What the agent is about to do',
): VisitRequest {
  const message = `${title}: a person has to sign in and approve or deny it on this page (${handle}).`
  return { visit: { handle, url, message } }
}

/** What is said of a request to people. */
export const approvalShape = z.strictObject({
  approval_id: z.string(),
  status: z.enum(APPROVAL_STATUSES),
  expires_at: z.string().describe('RFC 3339, UTC.').nullable(),
  approval_url: z.string().describe('Page on which the person decides.').nullable(),
  decision_reason: z.string().describe('In the words of the person.').nullable(),
})

export function approvalFields(asked: AskedState): z.output<typeof approvalShape> {
  return {
    approval_id: asked.id,
    status: asked.status,
    expires_at: asked.expiresAt === null ? null : toIso(asked.expiresAt),
    approval_url: asked.url,
    decision_reason: asked.decisionReason,
  }
}

export function approvalText({ id, status, expiresAt, decisionReason, url }: AskedState): string {
  const said = decisionReason === null ? '' : ` The person said: ${decisionReason}`
  switch (status) {
    case 'pending':
      return [
        `Approval ${id} is pending: a person decides it ${url === null ? `with sallyport approvals approve ${id}` : `at ${url}`}.`,
        ...(expiresAt === null ? [] : [`It ends at ${toIso(expiresAt)}.`]),
        'Ask again with get_approval_status and wait_seconds: it answers as soon as the person has decided.',
      ].join('\n')
    case 'approved':
      return `Approval ${id} is approved.${said}`
    case 'denied':
      return `Approval ${id} is denied. Do not do it, and do not ask again for the same.${said}`
    case 'expired':
      return `Approval ${id} has expired, which counts as no.`
    case 'cancelled':
      return `Approval ${id} was cancelled.`
    case 'consumed':
      return `Approval ${id} is used up.`
  }
}
