import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverNameOf } from './server-name.ts'

const FOLDER = '/srv/weather'

const commands: readonly [command: string, name: string][] = [
  ['npx -y @modelcontextprotocol/server-filesystem@1.2 /tmp', 'server-filesystem'],
  ['npx server-filesystem', 'server-filesystem'],
  ['npx.cmd -y files', 'files'],
  ['/usr/bin/node --enable-source-maps ./dist/files.mjs', 'files'],
  ['uvx mcp-server-git --repository x', 'mcp-server-git'],
  ['npm exec -- files', 'files'],
  ['deno run -A npm:@acme/files@2', 'files'],
  ['env KEY=value npx files', 'files'],
  ['./my server', 'my'],
  ['node', 'node'],
  ['node -e const/key=1', 'node'],
  ['node --eval=const/key=1 x', 'node'],
  ['python3 -c import/os', 'python3'],
  ['python3 -Ic import/os', 'python3'],
  ['python3.12 -m mcp_files', 'mcp_files'],
  ['npx -c files/key', 'npx'],
  ['npx -y files -e x', 'files'],
  ['npx constructor', 'constructor'],
  ['-x', 'x'],
  ['', 'server'],
  [`npx ${'a'.repeat(64)}`, 'a'.repeat(64)],
  [`npx ${'a'.repeat(65)}`, `${'a'.repeat(55)}-635361c4`],
  // What belongs to an option is in no name.
  ['docker run --env KEY=sk_live_1 acme/files', 'acme-files'],
  ['docker run -i --rm -e KEY=sk_live_1 acme/files', 'acme-files'],
  ['docker run -ie KEY=sk_live_1 acme/files', 'acme-files'],
  ['docker run -eKEY=sk_live_1 acme/files', 'acme-files'],
  ['docker run -i --init -v /a:/b --mount type=bind,src=/a acme/files /a', 'acme-files'],
  ['docker run --name n --network host -p 80:80 --user 1 -w /a --label l acme/files', 'acme-files'],
  ['docker run --entrypoint /e --env-file .env --platform linux/arm64 acme/files', 'acme-files'],
  ['docker run --not-known-yet sk_live_1 acme/files', 'acme-files'],
  ['docker --context far run --rm=true -it -- acme/files', 'acme-files'],
  ['docker run --rm', 'docker'],
  ['docker run --env KEY=sk_live_1', 'docker'],
  ['docker exec -i files node index.js', 'files'],
  ['KEY=sk_live_1 files', 'server'],
  ['npx --registry https://u:sk_live_1@example.org files', 'files'],
  ['npx -p acme files', 'files'],
  ['uv --index-url https://example.org/sk_live_1 run files.py', 'files'],
  ['uvx --from acme --python 3.12 files', 'files'],
  ['pipx run --pip-args sk_live_1 files', 'files'],
  ['bun --env-file .env files.ts', 'files'],
  ['bunx --registry sk_live_1 files', 'files'],
  ['deno run --config deno.json files.ts', 'files'],
  ['node --env-file .env --import tsx files.js', 'files'],
  ['npx https://u:sk_live_1@example.org', 'example.org'],
  ['deno run https://u:sk_live_1@example.org/files.ts?k', 'files'],
  ['node KEY=sk_live_1', 'node'],
  ['./mcp --key sk_live_1', 'mcp'],
  // An image without its registry, tag and digest.
  ['docker run mcp/github', 'mcp-github'],
  ['podman run ghcr.io/acme/github:1.2', 'acme-github'],
  ['docker run localhost:5000/acme/github@sha256:0123', 'acme-github'],
  ['docker run github:latest', 'github'],
  ['docker run node:24 node /a.js', 'node'],
  // What many programs are called, by what is above.
  ['node /srv/a/dist/index.mjs', 'a'],
  ['node /srv/b/dist/index.mjs', 'b'],
  ['node dist/index.js', 'weather'],
  ['node ../files/build/index.js', 'files'],
  ['node server.js', 'weather'],
  ['C:\\tools\\server.exe', 'tools'],
  ['C:\\server.exe', 'server'],
  ['/usr/local/bin/server', 'server'],
  ['npx .', 'weather'],
  ['server', 'server'],
  ['npx server', 'server'],
  ['python -m server', 'weather'],
  ['python3 /srv/files/src/__main__.py', 'files'],
  ['/srv/files/.venv/bin/python main.py', 'weather'],
  ['node /a/node_modules/@acme/files/lib/cli.js', 'files'],
  ['npx @acme/mcp@latest', 'acme-mcp'],
  ['node /a/node_modules/@acme/mcp/cli.js', 'acme-mcp'],
  ['uv --directory /srv/files run server.py', 'files'],
  ['uv --directory=/srv/files run server.py', 'files'],
  ['uv run --with mcp[cli] mcp run /srv/files/server.py:app', 'files'],
  ['npm --prefix /srv/files run start', 'files'],
]
for (const [command, name] of commands)
  test(`the name of ${command}`, () =>
    assert.equal(
      serverNameOf({ kind: 'stdio', command: command.split(' '), variables: [] }, FOLDER),
      name,
    ))

const addresses: readonly [url: string, name: string][] = [
  ['https://mcp.example.org/mcp', 'mcp.example.org'],
  ['https://mcp.example.org', 'mcp.example.org'],
  ['https://mcp.example.org:443/sse/', 'mcp.example.org'],
  ['http://127.0.0.1:3000/mcp', '127.0.0.1-3000'],
  ['http://127.0.0.1:3001/mcp', '127.0.0.1-3001'],
  ['http://[::1]:3000/mcp', '1-3000'],
  ['https://example.org/files/mcp', 'example.org-files-mcp'],
  ['https://example.org/v1/my-files', 'example.org-v1-my-files'],
  // What may be the key of a door is not shown, and still tells it from others.
  ['https://example.org/s/sk_live_1/mcp', 'example.org-s-992621cb-mcp'],
  ['https://example.org/s/sk_live_2/mcp', 'example.org-s-ad150e5b-mcp'],
  ['https://example.org/mcp?key=sk_live_1', 'example.org'],
  ['https://u:sk_live_1@example.org/mcp', 'example.org'],
]
for (const [url, name] of addresses)
  test(`the name of ${url}`, () =>
    assert.equal(serverNameOf({ kind: 'http', url, headers: [] }, FOLDER), name))
