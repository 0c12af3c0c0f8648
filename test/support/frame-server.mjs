// Says and writes down frames just as they are, as no SDK would.
//   frame-server.mjs FRAMES LOG      FRAMES: a JSON array of texts; ID in them is the id of the question as it was written
import { appendFileSync, readFileSync } from 'node:fs'
import process from 'node:process'

const [framesFile, log] = process.argv.slice(2)
const frames = JSON.parse(readFileSync(framesFile, 'utf8'))

// Node's own reader of lines ends them at U+2028 too.
let rest = ''
process.stdin.setEncoding('utf8').on('data', (text) => {
  const lines = (rest + text).split('\n')
  rest = lines.pop() ?? ''
  for (const line of lines) {
    appendFileSync(log, `${line}\n`)
    const asked = /"method":"vendor\/frame","params":\{"frame":(\d+)\}/.exec(line)
    const id = /"id":("[^"]*"|[^,}]+)/.exec(line)?.[1]
    if (asked !== null) process.stdout.write(`${frames[Number(asked[1])].replaceAll('ID', id)}\n`)
  }
})
