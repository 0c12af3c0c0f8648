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

type Transport = 'sse' | 'streamableHttp'

/** Runs until the tests of the file are over. */
export async function everythingOverHttp(transport: Transport): Promise<URL> {
  return (await restartable(transport)).url
}

/** As `everythingOverHttp`, and can be killed and started anew at its address. */
export async function restartable(transport: Transport) {
  const port = await freePort()
  let child = await started(transport, port)
  after(() => child.kill('SIGKILL'))
  return {
    url: new URL(`http://127.0.0.1:${port}/${transport === 'sse' ? 'sse' : 'mcp'}`),
    async restart(): Promise<void> {
      child.kill('SIGKILL')
      await once(child, 'exit')
      child = await started(transport, port)
    },
  }
}

async function started(transport: Transport, port: number) {
  const child = spawn(process.execPath, [EVERYTHING, transport], {
    env: { ...processEnvironment(), PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await new Promise<void>((resolve) => {
    child.stderr.on('data', (chunk) => {
      if (String(chunk).includes(String(port))) resolve()
    })
  })
  return child
}
