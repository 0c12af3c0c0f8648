import type * as z from 'zod'

/** What a client may assume about a tool, in the words of the protocol. */
export interface ToolAnnotations {
  readonly readOnlyHint: boolean
  readonly destructiveHint: boolean
  readonly idempotentHint: boolean
  readonly openWorldHint: boolean
}

/** One call of a tool, whichever transport and revision it came over. `S` is who is calling, as the door knows it. */
export interface ToolCall<S> {
  readonly session: S
  /** Name the client gave of itself: shown and recorded, never trusted. */
  readonly client: string | null
  /** Aborts when the client cancels the call or goes away. */
  readonly signal: AbortSignal
  /** True when the client said that it can open a web page for the person. */
  readonly canVisit: boolean
  /** True when the client asked to be told while it waits. */
  readonly hearsProgress: boolean
  /** Set when the tool is entered again after a `VisitRequest`. */
  readonly visit: Visit | null
  /** Waits for `work` and tells the client every few seconds that the call is alive, so that it does not time out. */
  waitFor<T>(work: Promise<T>, message: string): Promise<T>
}

/** How the client answered a `VisitRequest`. */
export interface Visit {
  readonly handle: string
  /**
   * `accept` means that the page was opened, not that it was filled in; `unanswered` that the client called again
   * without an answer; `failed` that the client could not be asked.
   */
  readonly action: 'accept' | 'decline' | 'cancel' | 'unanswered' | 'failed'
}

export interface ToolAnswer {
  readonly structured: Readonly<Record<string, unknown>>
  readonly text: string
  readonly isError?: boolean
}

/** Asks the client to show the person a page, and to call again when that is done. */
export interface VisitRequest {
  readonly visit: {
    /** What the second call is to find its way back by. Travels sealed. */
    readonly handle: string
    readonly url: string
    readonly message: string
  }
}

export interface ToolDefinition<S> {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly annotations: ToolAnnotations
  /** Strict object: what is not in it is refused. */
  readonly input: z.ZodType<unknown>
  /** The structured content of an answer that is no error. */
  readonly output: z.ZodType<Readonly<Record<string, unknown>>>
  run(args: unknown, call: ToolCall<S>): Promise<ToolAnswer | VisitRequest>
}

export interface ResourceDefinition<S> {
  readonly uri: string
  readonly name: string
  readonly title: string
  readonly description: string
  readonly mimeType: string
  read(call: Pick<ToolCall<S>, 'session' | 'client' | 'signal'>): Promise<string>
  /**
   * Something that differs when what `read` would answer this session differs, for nobody's eyes: only those are told of
   * a change who can see it. It is asked after every change, and recorded nowhere.
   */
  glimpse(session: S): Promise<string>
}

/** A server as data: what `serveOverStdio` and `createMcpEndpoint` serve. */
export interface ServerDefinition<S> {
  readonly name: string
  readonly title: string
  readonly version: string
  readonly instructions: string
  /** Asked for when tools are first listed or called: the handshake does not wait for their schemas. */
  loadTools(): Promise<readonly ToolDefinition<S>[]>
  /** Names of the tools whose calls may wait for the person: their answers are streamed. */
  readonly waitingTools: readonly string[]
  readonly resources: readonly ResourceDefinition<S>[]
  /** An error as the answer the model reads. `args` is what the client sent, unchecked. */
  explain(
    error: unknown,
    tool: string,
    args: unknown,
    /** Asked for only when the explanation needs it: it may be what failed. */
    peer: { session(): Promise<S> },
    client: string | null,
  ): Promise<ToolAnswer>
  /** Calls back with the URI of a resource whose text may have changed, for somebody. @returns how to stop it */
  onResourceChange(listener: (uri: string) => void): () => void
  /** Called once the first answer is out: what the first call needs can be made ready. */
  warmUp(): void
}
