// The reference server that does everything, over HTTP.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { processEnvironment } from '../../src/core/config.ts'

export const EVERYTHING = fileURLToPath(
  new URL(
    '../../node_modules/@modelcontextprotocol/server-everything/dist/index.js',
    import.meta.url,
  ),
)

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

/** Runs until the tests of the file are over. */
export async function everythingOverHttp(transport: 'sse' | 'streamableHttp'): Promise<URL> {
  const port = await freePort()
  const child = spawn(process.execPath, [EVERYTHING, transport], {
    env: { ...processEnvironment(), PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  after(() => child.kill('SIGKILL'))
  await new Promise<void>((resolve) => {
    child.stderr.on('data', (chunk) => {
      if (String(chunk).includes(String(port))) resolve()
    })
  })
  return new URL(`http://127.0.0.1:${port}/${transport === 'sse' ? 'sse' : 'mcp'}`)
}
