import { runProgram } from '../cli/index.ts'
import { UNLOCK_AGENT } from './unlock-agent-name.ts'
import { wire } from './wire.ts'

const [first, ...rest] = process.argv.slice(2)
if (first === UNLOCK_AGENT) {
  const { runUnlockAgent } = await import('./key-sources.ts')
  await runUnlockAgent(rest[0] ?? '', Number(rest[1]))
} else {
  process.exitCode = await runProgram(process.argv.slice(2), () => wire())
}
