import { once } from 'node:events'

/** What a running process holds and can reach: all of its strings, and the bytes of all of its buffers. */
export interface LiveMemory {
  /** The heap snapshot, after a garbage collection, as its JSON text: every reachable string is in it. */
  snapshot(): Promise<string>
  /** Of each of the searched bytes, the sizes of the live ArrayBuffers that hold them. */
  buffersWith(searched: readonly Uint8Array[]): Promise<readonly (readonly number[])[]>
  close(): void
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly chunk?: string }
  readonly result?: Result
  readonly error?: { readonly message: string }
}

interface Result {
  readonly result?: { readonly objectId?: string; readonly value?: unknown }
  readonly objects?: { readonly objectId?: string }
  readonly exceptionDetails?: unknown
}

/** The search runs in the process itself, on bytes that are masked, so that it does not find its own argument. */
const MASK = 0x55
const SEARCH = `function (masked) {
  const found = masked.map(() => [])
  const starting = Array.from({ length: 256 }, () => [])
  masked.forEach((one, index) => starting[one[0] ^ ${MASK}].push(index))
  for (const buffer of this) {
    if (buffer.detached) continue
    const bytes = new Uint8Array(buffer)
    for (let at = 0; at < bytes.length; at += 1) {
      search: for (const index of starting[bytes[at]]) {
        const one = masked[index]
        for (let i = 1; i < one.length; i += 1)
          if ((bytes[at + i] ^ ${MASK}) !== one[i]) continue search
        if (found[index].at(-1) !== buffer) found[index].push(buffer)
      }
    }
  }
  return found.map((buffers) => buffers.map((buffer) => buffer.byteLength))
}`

/** @param url what node prints when it is started with `--inspect=127.0.0.1:0`: `ws://127.0.0.1:…` */
export async function lookInto(url: string): Promise<LiveMemory> {
  const socket = new WebSocket(url)
  await once(socket, 'open')
  const waiting = new Map<number, (message: Message) => void>()
  let chunks: string[] = []
  let calls = 0
  socket.addEventListener('message', ({ data }) => {
    // The inspector of node speaks the DevTools protocol: JSON texts.
    const message = JSON.parse(String(data)) as Message
    if (message.id !== undefined) waiting.get(message.id)?.(message)
    else if (message.params?.chunk !== undefined) chunks.push(message.params.chunk)
  })
  const call = async (method: string, params: object = {}): Promise<Result> => {
    calls += 1
    const id = calls
    const answer = new Promise<Message>((resolve) => {
      waiting.set(id, resolve)
    })
    socket.send(JSON.stringify({ id, method, params }))
    const { result, error } = await answer
    if (result === undefined || result.exceptionDetails !== undefined)
      throw new Error(`${method}: ${error?.message ?? JSON.stringify(result?.exceptionDetails)}`)
    return result
  }
  return {
    async snapshot() {
      chunks = []
      await call('HeapProfiler.takeHeapSnapshot', { reportProgress: false })
      return chunks.join('')
    },
    async buffersWith(searched) {
      await call('HeapProfiler.collectGarbage')
      const group = { objectGroup: 'scan' }
      const { result } = await call('Runtime.evaluate', {
        expression: 'ArrayBuffer.prototype',
        ...group,
      })
      const { objects } = await call('Runtime.queryObjects', {
        prototypeObjectId: result?.objectId,
        ...group,
      })
      const found = await call('Runtime.callFunctionOn', {
        objectId: objects?.objectId,
        functionDeclaration: SEARCH,
        arguments: [{ value: searched.map((bytes) => [...bytes].map((byte) => byte ^ MASK)) }],
        returnByValue: true,
      })
      await call('Runtime.releaseObjectGroup', group)
      return found.result?.value as readonly (readonly number[])[]
    },
    close: () => socket.close(),
  }
}
