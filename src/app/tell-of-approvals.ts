import type { ApprovalInfo } from '../core/approval-port.ts'
import type { Stack } from './open-stack.ts'

/**
 * Tells of what waits for a person: on the desktop at once, and to webhooks from the rows that earlier processes may
 * have left behind.
 */
export function tellOfApprovals(stack: Stack): Stack {
  stack.approvals.deliveries.start()
  let notice: Promise<(title: string, text: string) => Promise<boolean>> | null = null
  stack.approvals.approvals.onPending((approval) => {
    notice ??= import('../ask/index.ts').then(({ createDesktopNotice }) => createDesktopNotice())
    // A desktop that shows nothing is no reason to fail: the request waits in the store.
    void notice
      .then((show) => show('Sallyport: an approval waits', textOf(approval)))
      .catch(() => {})
  })
  return stack
}

function textOf({ id, kind, requester, preview }: ApprovalInfo): string {
  const what = kind === 'own' ? `asks, in its own words: ${preview.title}` : preview.title
  return `${requester}: ${what} (sallyport approvals show ${id})`
}
