// A server of MCP in plain lines, for tests of what stands before it: it writes down every line that reaches it, and
// answers some in ways that no SDK would. Plain JavaScript, so that it starts at once.
//   line-server.mjs LOG [stubborn] [TOOL]   stubborn: stays when its input ends or it is asked to end; TOOL: one more
import { appendFileSync, closeSync } from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'

const [log, manner, another] = process.argv.slice(2)
const write = (line) => process.stdout.write(`${line}\n`)
const text = (value) => ({ content: [{ type: 'text', text: value }] })
let goOn = () => {}
let told = null
const TOOLS = [
  'echo',
  'odd',
  'twins',
  'fail',
  'refuse',
  'delete_all',
  'environment',
  'die',
  'silent',
  'ask',
  ...(another === undefined ? [] : [another]),
]

appendFileSync(log, `started ${process.pid}\n`)
if (manner === 'stubborn') {
  process.on('SIGTERM', () => {})
  setInterval(() => {}, 60_000)
}

createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY }).on(
  'line',
  (line) => {
    appendFileSync(log, `${line}\n`)
    const message = JSON.parse(line)
    const answer = (result) => write(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }))
    const { method, params = {} } = message
    if (method === 'initialize')
      answer({
        protocolVersion: params.protocolVersion ?? '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'lines', version: '1' },
      })
    else if (method === 'ping') answer({})
    else if (method === 'tools/list')
      answer({
        tools: TOOLS.map((name) => ({
          name,
          description: `Does ${name}.`,
          inputSchema: { type: 'object' },
        })),
        nextCursor: 'more',
      })
    else if (method === 'tools/call') call(message, answer)
    else if (method === 'tasks/get') answer(taskOf(params.taskId))
    else if (method === 'tasks/result') answer(text(`${params.taskId} is done`))
    else if (method === 'tasks/list') answer({ tasks: ['t-later', 't-other'].map(taskOf) })
    else if (message.id === 'from-server' && told !== null) {
      told(message.result ?? message.error)
      told = null
    } else if (message.id === 'from-server')
      write(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/got', params: message.result }))
    else if (message.id !== undefined)
      write(
        `{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},"error":{"code":-32601,"message":"Method not found"}}`,
      )
  },
)

function taskOf(taskId) {
  const at = '2026-01-01T00:00:00Z'
  return { taskId, status: 'working', ttl: 60_000, createdAt: at, lastUpdatedAt: at }
}

function call({ id, params }, answer) {
  const args = params.arguments ?? {}
  switch (params.name) {
    case 'echo':
      return answer(text(String(args.text)))
    case 'odd':
      return write(
        ` {"result" : {"n":12345678901234567890,"m":1.0,"e":"\\u00e9","content":[]} ,"id":${JSON.stringify(id)},"jsonrpc":"2.0"}`,
      )
    case 'twins':
      return write(
        `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[{"type":"text","text":${JSON.stringify(String(args.text))},"text":"plain"}]}}`,
      )
    case 'fail':
      return answer({ ...text('no'), isError: true })
    case 'refuse':
      return write(
        `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":{"code":-32000,"message":"no"}}`,
      )
    case 'batch':
      return write(
        JSON.stringify([
          { jsonrpc: '2.0', id, result: text('of a batch') },
          { jsonrpc: '2.0', method: 'notifications/got', params: {} },
        ]),
      )
    case 'crooked':
      return write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":"no"}`)
    case 'environment':
      return answer(text(Object.keys(process.env).toSorted().join(' ')))
    case 'mute':
      return closeSync(1)
    case 'deaf':
      // What listens no more lives on: nothing else would keep it.
      setInterval(() => {}, 60_000)
      process.stdin.destroy()
      closeSync(0)
      return answer(text('deaf'))
    case 'die':
      return process.exit(7)
    case 'ask_and_die': {
      const question = { method: 'elicitation/create', params: { message: 'Who?' } }
      write(JSON.stringify({ jsonrpc: '2.0', id: 'from-server', ...question }))
      return setTimeout(() => process.exit(7), 50)
    }
    case 'ask':
      write(
        `{"jsonrpc":"2.0","id":${JSON.stringify(args.id ?? 'from-server')},"method":"sampling/createMessage","params":{"messages":[]}}`,
      )
      return answer(text('asked'))
    case 'ask_and_wait': {
      // Answers with what it was answered.
      const question = { method: 'elicitation/create', params: { message: 'Who?', ...args } }
      write(JSON.stringify({ jsonrpc: '2.0', id: 'from-server', ...question }))
      told = (heard) => answer(text(JSON.stringify(heard)))
      return undefined
    }
    case 'been_there': {
      // The person was at the address.
      const { elicitationId } = args
      const complete = { method: 'notifications/elicitation/complete', params: { elicitationId } }
      write(JSON.stringify({ jsonrpc: '2.0', ...complete }))
      return answer(text('been there'))
    }
    case 'go_there': {
      const places = { elicitations: [{ mode: 'url', ...args }] }
      const error = { code: -32042, message: 'Go there.', data: places }
      return write(JSON.stringify({ jsonrpc: '2.0', id, error }))
    }
    case 'ask_later':
      // When nobody waits for anything.
      answer(text('later'))
      return setTimeout(() => {
        for (const id of args.ids ?? ['from-server'])
          write(JSON.stringify({ jsonrpc: '2.0', id, method: 'roots/list' }))
      }, 50)
    case 'change':
      answer(text('changed'))
      return write('{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}')
    case 'pid':
      return answer(text(String(process.pid)))
    case 'later':
      return answer({ task: taskOf('t-later') })
    case 'silent':
      return undefined
    case 'steps': {
      // Progress at once, a word of its own and the answer when it is told to go on.
      const { progressToken } = params._meta ?? {}
      const told = (progress) =>
        write(
          JSON.stringify({
            jsonrpc: '2.0',
            method: 'notifications/progress',
            params: { progressToken, progress },
          }),
        )
      told(1)
      goOn = () => {
        told(2)
        answer(text('done'))
      }
      return undefined
    }
    case 'go_on':
      goOn()
      return answer(text('went on'))
    default:
      return answer(text('done'))
  }
}
