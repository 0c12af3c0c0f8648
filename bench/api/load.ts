import { connect, type Socket } from 'node:net'
import { monotonicMs, sleep } from '../../src/core/time.ts'

/** The answers of one round of requests. */
export interface Loaded {
  readonly perSecond: number
  /** Of all requests, those of the warming too. */
  readonly answers: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const END_OF_HEAD = '\r\n\r\n'
const LENGTH = /\r\nContent-Length: (\d+)/i

/**
 * Keeps connections busy with one request after another. Written for bytes, because it runs on the cores of the server
 * it measures.
 *
 * @param requests one a connection, as they go over the wire
 */
export async function load(
  port: number,
  requests: readonly string[],
  time: { readonly warmMs: number; readonly measureMs: number },
): Promise<Loaded> {
  const took: number[] = []
  const state = { isMeasuring: false, isOver: false, answers: 0 }
  const all = requests.map((request) => drive(port, Buffer.from(request, 'latin1'), state, took))
  await sleep(time.warmMs)
  state.isMeasuring = true
  const start = monotonicMs()
  await sleep(time.measureMs)
  state.isOver = true
  const elapsedMs = monotonicMs() - start
  await Promise.all(all)
  took.sort((a, b) => a - b)
  return {
    answers: state.answers,
    perSecond: (took.length / elapsedMs) * 1_000,
    p50Ms: took[Math.floor(took.length * 0.5)] ?? Number.NaN,
    p99Ms: took[Math.floor(took.length * 0.99)] ?? Number.NaN,
  }
}

function drive(
  port: number,
  request: Buffer,
  state: { readonly isMeasuring: boolean; readonly isOver: boolean; answers: number },
  took: number[],
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let text = ''
    let sentAt = 0
    const send = (): void => {
      sentAt = monotonicMs()
      socket.write(request)
    }
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the server closed a connection')))
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      const head = text.indexOf(END_OF_HEAD)
      if (head === -1) return
      const length = Number(LENGTH.exec(text)?.[1])
      if (text.length < head + END_OF_HEAD.length + length) return
      if (!text.startsWith('HTTP/1.1 200')) {
        reject(new Error(text.slice(0, 400)))
        return
      }
      text = ''
      state.answers += 1
      if (state.isOver) {
        socket.removeAllListeners('close')
        socket.destroy()
        resolve()
        return
      }
      if (state.isMeasuring) took.push(monotonicMs() - sentAt)
      send()
    })
  })
}
