import { html } from 'hono/html'
import type { ApprovalInfo, ApprovalPort, Widening } from '../core/approval-port.ts'
import { asFault, Fault, isFault } from '../core/faults.ts'
import type { SignedIn } from '../core/people-port.ts'
import { principalName } from '../core/principals.ts'
import { toIso } from '../core/time.ts'
import { note, onward, reply } from './reply.ts'
import { notThisForm, ownFields, problem } from './sign-in.ts'
import { formOf, type Visit } from './visit.ts'

/** Where people decide what somebody wants to do. */
export function createApprovalPage(
  approvals: ApprovalPort,
  nameOf: (principal: string) => Promise<string | null>,
) {
  async function show(
    visit: Visit,
    signedIn: SignedIn,
    approval: ApprovalInfo,
    fault: Fault | null,
    scope: Widening | null = null,
  ): Promise<Response> {
    const name = await nameOf(approval.requester)
    return approvalPage(visit, signedIn, approval, name, fault, scope)
  }

  return async (visit: Visit, signedIn: SignedIn, id: string): Promise<Response> => {
    const { caller } = signedIn
    try {
      const approval = await approvals.status(caller, id)
      if (visit.request.method !== 'POST') return await show(visit, signedIn, approval, null)
      const fields = await ownFields(visit)
      if (fields === null) return await notThisForm()
      const decision = fields.get('decision')
      const reason = fields.get('reason')?.trim() ?? ''
      if (decision !== 'approve' && decision !== 'deny') return await notThisForm()
      try {
        const widen = decision === 'approve' ? wideningIn(fields) : null
        const decided = await approvals.decide(caller, id, decision, {
          expected: fields.get('digest') ?? '',
          ...(reason === '' ? {} : { reason }),
          ...(widen === null ? {} : { widen }),
        })
        return await show(visit, signedIn, decided, null, widen)
      } catch (error) {
        if (isFault(error, 'STEP_UP_REQUIRED')) return onward(`/step-up?to=/approvals/${id}`)
        const fault = asFault(error)
        if (fault.code === 'INTERNAL') throw error
        return await show(visit, signedIn, await approvals.status(caller, id), fault)
      }
    } catch (error) {
      if (isFault(error, 'NOT_FOUND'))
        return note(404, 'Nothing to decide', 'There is no such question, or none for you.')
      throw error
    }
  }
}

/** The scope that is approved together with an act, where that was chosen. @throws {Fault} `BAD_INPUT` */
function wideningIn(fields: ReadonlyMap<string, string>): Widening | null {
  if (fields.get('widen') !== 'yes') return null
  const minutes = countIn(fields, 'minutes')
  return {
    pattern: fields.get('pattern')?.trim() ?? '',
    seconds: minutes === null ? null : minutes * 60,
    uses: countIn(fields, 'uses'),
  }
}

function countIn(fields: ReadonlyMap<string, string>, field: string): number | null {
  const text = fields.get(field)?.trim() ?? ''
  if (text === '') return null
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new Fault('BAD_INPUT', `${field} must be a whole number, or empty.`, { details: { field } })
}

const SAID = {
  pending: 'Waiting for an answer',
  approved: 'Approved',
  denied: 'Denied',
  expired: 'Nobody answered in time',
  cancelled: 'Withdrawn',
  consumed: 'Approved, and done',
} as const

function approvalPage(
  visit: Visit,
  signedIn: SignedIn,
  approval: ApprovalInfo,
  name: string | null,
  fault: Fault | null,
  scope: Widening | null,
): Promise<Response> {
  const { preview, status, id } = approval
  const form = formOf(visit)
  const isOwn = approval.kind === 'own'
  const about = [
    ['Wants to', approval.action],
    ['On', `${approval.target.type} ${approval.target.id}`],
    ...(preview.fields ?? []).map(({ label, value }) => [label, value]),
  ]
  const rows = [
    ['Asked by', name === null ? approval.requester : `${name} (${approval.requester})`],
    ...(approval.client === null ? [] : [['Calls itself', approval.client]]),
    ...(isOwn ? [] : about),
    ...(approval.grant === null ? [] : grantRows(approval.grant)),
    ['Answer by', `${toIso(approval.expiresAt).slice(0, 16).replace('T', ' ')} UTC`],
    ...(approval.needed > 1
      ? [['Yes so far', `${approval.votes.length} of ${approval.needed}`]]
      : []),
    ...(scope === null ? [] : [['Also allowed', scopeText(approval, scope)]]),
  ]
  const facts = (of: readonly (readonly (string | undefined)[])[]) =>
    html`<dl>${of.map(([label, value]) => html`<dt>${label}</dt><dd>${value}</dd>`)}</dl>`
  const ours = isOwn
    ? ''
    : html`<p class="say">${preview.title}</p>${preview.body?.split('\n').map((line) => html`<p class="say">${line}</p>`) ?? ''}`
  const said = isOwn ? [preview.title, preview.body, approval.reason] : [approval.reason]
  // Its lines are kept, and no page full of empty ones.
  const words = said.flatMap((text) => text?.replaceAll(/\n{3,}/g, '\n\n') ?? [])
  const theirs =
    words.length === 0
      ? ''
      : html`<section class="agent"><h2>In the words of whoever asks</h2>
${isOwn ? facts(about) : ''}
${words.map((text) => html`<blockquote>${text}</blockquote>`)}
<p>These are not Sallyport’s words. Trust what stands above.</p></section>`
  const isPending = status === 'pending'
  const hasAnswered = approval.votes.some(
    ({ by }) => by === principalName(signedIn.caller.principal),
  )
  const decide = signedIn.isSteppedUp
    ? html`<form method="post" action="/approvals/${id}">
<input type="hidden" name="csrf" value="${form.token}">
<input type="hidden" name="digest" value="${approval.argumentsDigest}">
<label for="reason">Why (optional)</label>
<input type="text" id="reason" name="reason" maxlength="500">
${widening(approval)}
<div class="buttons"><button class="store" name="decision" value="approve">Approve</button>
<button name="decision" value="deny">Deny</button></div></form>`
    : html`<div class="buttons"><a class="button" href="/step-up?to=/approvals/${id}">Show that it is you, to answer</a></div>`
  return reply({
    status: fault?.http ?? 200,
    title: isPending ? 'May this be done?' : SAID[status],
    cookies: [form.cookie],
    body: html`<h1>${isPending ? 'May this be done?' : SAID[status]}</h1>
${ours}${facts(rows)}
${theirs}${problem(fault)}
${isPending && hasAnswered ? html`<p class="good">You have said yes. Another person has to decide.</p>` : ''}
${isPending && !hasAnswered ? decide : ''}`,
  })
}

/** For who would otherwise be asked twenty times. Only of one path, and of what one person may approve alone. */
function widening({ within, needed }: ApprovalInfo) {
  if (within === null || within === undefined || needed > 1) return ''
  return html`<details><summary>Also allow the like of it for a while</summary>
<p class="note">For the same agent, without asking again, until either limit is reached.</p>
<label class="choice"><input type="checkbox" name="widen" value="yes"> ${within.permission} also at other paths</label>
<label for="pattern">Paths (* is one segment, ** any depth)</label>
<input type="text" id="pattern" name="pattern" value="${within.path}" maxlength="512" spellcheck="false">
<label for="minutes">Minutes</label>
<input type="text" id="minutes" name="minutes" value="15" inputmode="numeric" maxlength="6">
<label for="uses">How often at most (empty: any number)</label>
<input type="text" id="uses" name="uses" inputmode="numeric" maxlength="6"></details>`
}

function scopeText({ within }: ApprovalInfo, { pattern, seconds, uses }: Widening): string {
  const limits = [
    ...(seconds === null ? [] : [`for ${Math.ceil(seconds / 60)} minutes`]),
    ...(uses === null ? [] : [`${uses} times at most`]),
  ]
  return `${within?.permission ?? ''} ${pattern} ${limits.join(', ')}`
}

function grantRows(grant: NonNullable<ApprovalInfo['grant']>): string[][] {
  return [
    ['May', `${grant.permission} ${grant.pattern}`],
    ...(grant.seconds === null ? [] : [['For', `${Math.ceil(grant.seconds / 60)} minutes`]]),
    ...(grant.uses === null ? [] : [['At most', `${grant.uses} times`]]),
  ]
}
