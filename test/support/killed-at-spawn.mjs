// Preloaded into a gateway (`node --import`): it is killed in the very moment in which its server has been spawned, before
// it does anything with what spawn gave back.
import children from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'
import process from 'node:process'

const { spawn } = children
children.spawn = (program, args, options) => {
  const child = spawn(program, args, options)
  if (options.stdio[1] === 'pipe') process.kill(process.pid, 'SIGKILL')
  return child
}
syncBuiltinESMExports()
