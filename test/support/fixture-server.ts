import { z } from 'zod'
import { asFault } from '../../src/core/faults.ts'
import type { ServerDefinition, ToolDefinition } from '../../src/mcp/index.ts'

export interface FixtureSession {
  readonly who: string
}

/** A small server definition for tests of the wire: what its tools say shows what reached them. */
export function fixtureServer(): ServerDefinition<FixtureSession> & {
  changeResource(): void
  readonly warmUps: number
} {
  const listeners = new Set<(uri: string) => void>()
  let warmUps = 0
  let changes = 0
  const annotations = {
    readOnlyHint: true,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  }
  const echo: ToolDefinition<FixtureSession> = {
    name: 'echo',
    title: 'Echo',
    description: 'Answers what it was sent.',
    annotations,
    input: z.strictObject({ text: z.string().max(10) }),
    output: z.strictObject({ text: z.string(), who: z.string(), client: z.string().nullable() }),
    async run(args, { session, client }) {
      const { text } = args as { text: string }
      if (text === 'fail') throw new Error('a message that must not get out')
      return { structured: { text, who: session.who, client }, text: `echo: ${text}` }
    },
  }
  const visitPage: ToolDefinition<FixtureSession> = {
    name: 'visit_page',
    title: 'Visit a page',
    description: 'Asks for a visit and answers how it ended.',
    annotations,
    input: z.strictObject({ topic: z.string() }),
    output: z.strictObject({ handle: z.string(), action: z.string() }),
    async run(args, { canVisit, visit, waitFor }) {
      const { topic } = args as { topic: string }
      if (!canVisit)
        return { structured: { handle: '', action: 'not possible' }, text: 'not possible' }
      if (visit === null)
        return {
          visit: { handle: `page-of-${topic}`, url: 'http://127.0.0.1:1/ask/x', message: topic },
        }
      await waitFor(Promise.resolve(), 'nearly there')
      return { structured: { ...visit }, text: `${visit.action} ${visit.handle}` }
    },
  }
  return {
    name: 'fixture',
    title: 'Fixture',
    version: '1.2.3',
    instructions: 'Call echo.',
    loadTools: async () => [echo, visitPage],
    waitingTools: ['visit_page'],
    resources: [
      {
        uri: 'fixture://notes',
        name: 'notes',
        title: 'Notes',
        description: 'Who is reading.',
        mimeType: 'application/json',
        read: async ({ session }) => JSON.stringify({ who: session.who }),
        glimpse: async () => String(changes),
      },
    ],
    async explain(error) {
      const { code, message, help, details } = asFault(error)
      return { structured: { error: { code, message, help, details } }, text: message }
    },
    onResourceChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    warmUp() {
      warmUps += 1
    },
    changeResource() {
      changes += 1
      for (const listener of listeners) listener('fixture://notes')
    },
    get warmUps() {
      return warmUps
    },
  }
}
