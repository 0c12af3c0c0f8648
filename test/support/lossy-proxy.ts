import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, connect as dial, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Stands between a client and a server on a unix socket, and loses what it is told to. */
export interface LossyProxy {
  /** `unix://…` */
  readonly url: string
  /** Answers to requests that hold the text are dropped with their connection, so many times. */
  loseAnswers(text: string, times: number): void
  /** The next request that holds the text is kept back, with all after it on its connection, until `deliver`. */
  holdBack(text: string): void
  /** Hands what was kept back to the server; its answers go nowhere. */
  deliver(): void
  close(): Promise<void>
}

export async function lossyProxy(target: string): Promise<LossyProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-proxy-'))
  const path = join(folder, 'socket')
  const sockets = new Set<Socket>()
  let losing = { text: '', times: 0 }
  let holding: string | null = null
  let held: { server: Socket; bytes: Buffer[] } | null = null
  const server = createServer((client) => {
    const upstream = dial(target.replace(/^unix:\/\//, ''))
    let isLosing = false
    let kept: Buffer[] | null = null
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('data', (bytes) => {
      if (kept === null && holding !== null && bytes.includes(holding)) {
        holding = null
        kept = []
        held = { server: upstream, bytes: kept }
      }
      if (kept !== null) {
        kept.push(bytes)
        return
      }
      if (losing.times > 0 && bytes.includes(losing.text)) {
        losing.times -= 1
        isLosing = true
      }
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      if (isLosing) client.destroy()
      else if (!client.destroyed) client.write(bytes)
    })
    client.on('close', () => {
      if (kept === null && !isLosing) upstream.destroy()
    })
    upstream.on('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    url: `unix://${path}`,
    loseAnswers(text, times) {
      losing = { text, times }
    },
    holdBack(text) {
      holding = text
    },
    deliver() {
      for (const bytes of held?.bytes ?? []) held?.server.write(bytes)
      held = null
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
