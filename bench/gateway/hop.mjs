// The least that can stand between a client and a server on stdio.
//   hop.mjs pipe SERVER     bytes, unread
//   hop.mjs json SERVER     every line is parsed, and a tool is looked up in a map
//   hop.mjs synced SERVER   the same, and what is called is on the disk before it goes on
import { spawn } from 'node:child_process'
import { fdatasyncSync, openSync, writeSync } from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'

const [manner, server] = process.argv.slice(2)
const child = spawn(process.execPath, [server], { stdio: ['pipe', 'pipe', 'inherit'] })
child.on('exit', () => process.exit(0))

if (manner === 'pipe') {
  process.stdin.pipe(child.stdin)
  child.stdout.pipe(process.stdout)
} else {
  const journal = manner === 'synced' ? openSync('journal', 'a') : null
  const policy = new Map([['echo', { allowed: true }]])
  lines(process.stdin, (line) => {
    const { method, id, params } = JSON.parse(line)
    if (method === 'tools/call' && policy.get(params.name)?.allowed !== true)
      process.stdout.write(
        `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"isError":true}}\n`,
      )
    else {
      if (journal !== null && method === 'tools/call') {
        writeSync(journal, `${line}\n`)
        fdatasyncSync(journal)
      }
      child.stdin.write(`${line}\n`)
    }
  })
  lines(child.stdout, (line) => {
    JSON.parse(line)
    process.stdout.write(`${line}\n`)
  })
  process.stdin.on('end', () => child.stdin.end())
}

function lines(stream, onLine) {
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', onLine)
}
