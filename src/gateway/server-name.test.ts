import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverNameOf } from './server-name.ts'

const cases: readonly [command: string, name: string][] = [
  ['npx -y @modelcontextprotocol/server-filesystem@1.2 /tmp', 'server-filesystem'],
  ['npx server-filesystem', 'server-filesystem'],
  ['/usr/bin/node --enable-source-maps ./dist/files.mjs', 'files'],
  ['uvx mcp-server-git --repository x', 'mcp-server-git'],
  ['./my server', 'my'],
  ['C:\\tools\\server.exe', 'server'],
  ['node', 'node'],
  ['node -e const/key=1', 'node'],
  ['node --eval=const/key=1 x', 'node'],
  ['python3 -c import/os', 'python3'],
  ['npx -y files -e x', 'files'],
  ['-x', '-x'],
]
for (const [command, name] of cases)
  test(`the name of ${command}`, () => assert.equal(serverNameOf(command.split(' ')), name))
