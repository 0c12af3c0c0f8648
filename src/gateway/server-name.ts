const LAUNCHERS: ReadonlySet<string> = new Set(
  'npx bunx uvx pnpx yarn pnpm npm bun uv node deno python python3 docker podman dlx exec run tool x'.split(
    ' ',
  ),
)
const MAX_NAME = 64

/**
 * What a server is called that nobody gave a name: by its package or program, so that it has the same name wherever it
 * is started. `npx -y @scope/server-files@1.2 DIR` is `server-files`.
 */
export function serverNameOf(command: readonly string[]): string {
  const words = command.map((word) => lastPart(word))
  const named = command.findIndex(
    (word, index) => !word.startsWith('-') && !LAUNCHERS.has(words[index] ?? ''),
  )
  const name = (words[named === -1 ? 0 : named] ?? '')
    .replace(/(?<=.)@.*$/, '')
    .replace(/\.(?:[cm]?[jt]s|py|exe|cmd)$/i, '')
    .replaceAll(/[^\w.-]+/g, '-')
  return name.slice(0, MAX_NAME) || 'server'
}

function lastPart(word: string): string {
  return word.split(/[/\\]/).findLast((part) => part !== '') ?? ''
}
