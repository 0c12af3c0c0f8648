import type { SecretText } from './secret-text.ts'

/** What the person is told before a value is typed. Our text first, then the agent's, quoted and capped. */
export interface SecretQuestion {
  /** Who asks, as the client names itself. */
  readonly client: string
  /** Folder name or real path of the project, or null. */
  readonly project: string | null
  readonly vault: string
  /** Full path at which the value will be stored. */
  readonly path: string
  /** Version that will be replaced, or null when the path holds nothing. */
  readonly replacesVersion: number | null
  /** The agent's own words: data, at most 200 characters are shown. */
  readonly agentText: string | null
  /** Principal that asks: `agent:<uuid>` of a registered one, whose people answer. Left out: whoever is at this machine. */
  readonly asker?: string
}

export type AskVia = 'page' | 'dialog' | 'pinentry' | 'terminal'

/** Asks for a value that goes straight to the vault. */
export interface AskSecret {
  /**
   * @returns the value and by which way it was typed
   * @throws {Fault} `INPUT_CANCELLED`, `INPUT_EMPTY`, `INPUT_TOO_LONG`, `INPUT_TIMED_OUT`, `INPUT_UNAVAILABLE`
   */
  (question: SecretQuestion, signal: AbortSignal): Promise<{ value: SecretText; via: AskVia }>
}

/** Why presence is asked for, in our words: `read the secret api/stripe`. Shown in the question. */
export interface PresenceRequest {
  readonly action: string
  readonly detail: string | null
}

/**
 * Asks for the presence passphrase (`set` asks twice). Never a click or a yes: the answer must be something an agent
 * that drives the screen or a terminal does not know.
 *
 * @throws {Fault} `INPUT_CANCELLED`, `INPUT_EMPTY`, `INPUT_TIMED_OUT`, `PRESENCE_UNAVAILABLE`
 */
export type AskPassphrase = (
  request: PresenceRequest & {
    readonly purpose: 'presence' | 'new-presence' | 'unlock' | 'new-unlock'
  },
  signal: AbortSignal,
) => Promise<SecretText>

/** What a page says to whoever came back from another one. */
export interface CameBack {
  readonly isDone: boolean
  readonly title: string
  readonly text: string
}

/** The person's own browser, on this machine. */
export interface BrowserDoor {
  /** Opens an address of the web in it, without a shell. @returns false where there is none */
  open(url: string): Promise<boolean>
  /**
   * Waits on 127.0.0.1 for the browser to come back from somewhere else.
   *
   * @param port null is any that is free
   * @param answer called with the address at which it came back; what it answers is shown
   * @throws {Fault} `CONFLICT` when somebody else listens there
   */
  catchRedirect(
    port: number | null,
    answer: (url: string) => Promise<CameBack>,
  ): Promise<{ readonly url: string; close(): Promise<void> }>
}
