import process from 'node:process'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { homeEnvironment, LAUNCHER } from './serving.ts'

/** The agent of a project, before a `sallyport mcp` of its own that ends with it. */
export async function projectAgent(home: string, project: string): Promise<Client> {
  const client = new Client({ name: 'reader', version: '1' })
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [LAUNCHER, 'mcp'],
      cwd: project,
      env: homeEnvironment(home),
      stderr: 'ignore',
    }),
  )
  return client
}
