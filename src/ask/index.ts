export {
  ASK_TIMEOUT_MS,
  type AskOptions,
  askHidden,
  DIALOGS,
  dialogsAtHand,
  type HiddenAnswer,
} from './ask-hidden.ts'
export { createAskSecret } from './ask-secret.ts'
export { createBrowserDoor } from './browser-door.ts'
export { createDesktopNotice } from './desktop-notice.ts'
export type {
  Dialog,
  DialogAnswer,
  DialogCommand,
  DialogResult,
  DialogText,
} from './dialogs/dialog.ts'
export {
  type AskedOptions,
  createPageDesk,
  type OpenPage,
  type PageConclusion,
  type PageDesk,
  type PageDeskOptions,
  type PageVisitor,
} from './page-desk.ts'
export { isLoopbackAddress, mayBeSubmitted, mayBeViewed } from './page-guards.ts'
export { createAskPassphrase } from './passphrase.ts'
export { readFd } from './read-fd.ts'
export { newNonce, pageResponse, pageShell } from './shell.ts'
export { MAX_AGENT_TEXT, questionLines, shownText } from './shown-text.ts'
export {
  findSystemPresence,
  POLKIT_ACTION,
  POLKIT_ACTION_FILE,
  type SystemPresence,
  type SystemPresenceOptions,
} from './system-presence.ts'
export { findSystemProgram } from './system-programs.ts'
export { type HiddenPrompt, hasTerminal, promptHidden } from './terminal.ts'
export { tryDialog } from './try-dialog.ts'
export { createTurnstile, type Turnstile, type TurnstileOptions } from './turnstile.ts'
