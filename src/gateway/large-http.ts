import { asFault } from '../core/faults.ts'
import { errorAnswer, RPC_ERRORS, readMessage } from '../mcp/wire/index.ts'
import type { OutgoingPieces } from '../net/index.ts'
import type { DoorResponse } from './http-request.ts'
import { bytesOf, piecesOf, release, sent, writeMessage } from './large-messages.ts'

/** Answers with a message that has large values. Their places are empty afterwards. */
export async function sendLargeJson(
  response: DoorResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  if (response.destroyed || response.headersSent) return
  const fields = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers }
  try {
    const bytes = bytesOf(text)
    response.writeHead(status, { ...fields, 'Content-Length': bytes })
    await writeMessage(response, text)
    response.end()
  } catch (error) {
    if (response.headersSent) response.destroy()
    else response.writeHead(200, fields).end(lostAnswer(text, error))
  } finally {
    release(text)
  }
}

/**
 * Writes a message that has large values as an event.
 *
 * @param id of the event; null where nobody comes back to the stream: then the values are not needed any more
 */
export async function writeLargeEvent(
  response: DoorResponse,
  text: string,
  id: string | null,
): Promise<void> {
  const head = `${id === null ? '' : `id: ${id}\n`}event: message\ndata: `
  // Between its tokens a line break is as good as a space, and within them there is none.
  const line = text.replaceAll(/[\r\n]/g, ' ')
  try {
    bytesOf(line)
  } catch (error) {
    response.write(`${head}${lostAnswer(text, error)}\n\n`)
    return
  }
  try {
    await writeMessage(response, line, { head, tail: '\n\n' })
  } catch {
    response.destroy()
  } finally {
    if (id === null) release(text)
    else sent(text)
  }
}

/** A message that has large values as the body of a request. @throws {Fault} when one is forgotten */
export function largeBody(text: string): OutgoingPieces {
  return {
    bytes: bytesOf(text),
    *pieces() {
      yield* piecesOf(text)
      sent(text)
    },
  }
}

/** Whoever waits for an answer whose values are gone is told. */
function lostAnswer(text: string, error: unknown): string {
  const message = readMessage(text)
  const idText = message.kind === 'response' ? message.idText : 'null'
  return errorAnswer(idText, RPC_ERRORS.internal, asFault(error).message)
}
