const LAUNCHERS: ReadonlySet<string> = new Set(
  'npx bunx uvx pnpx yarn pnpm npm bun uv node deno python python3 docker podman dlx exec run tool x'.split(
    ' ',
  ),
)
/** What comes behind one of these is a program, and what is in that is nobody's name. */
const SCRIPT = /^(?:-e|-c|-p|-pe|--eval|--print|--command)(?:=|$)/
const MAX_NAME = 64

/**
 * What a server is called that nobody gave a name: by its package or program, so that it has the same name wherever it
 * is started. `npx -y @scope/server-files@1.2 DIR` is `server-files`.
 */
export function serverNameOf(command: readonly string[]): string {
  const words = command.map((word) => lastPart(word))
  const script = command.findIndex((word) => SCRIPT.test(word))
  const named = command
    .slice(0, script === -1 ? command.length : script)
    .findIndex((word, index) => !word.startsWith('-') && !LAUNCHERS.has(words[index] ?? ''))
  const name = (words[named === -1 ? 0 : named] ?? '')
    .replace(/(?<=.)@.*$/, '')
    .replace(/\.(?:[cm]?[jt]s|py|exe|cmd)$/i, '')
    .replaceAll(/[^\w.-]+/g, '-')
  return name.slice(0, MAX_NAME) || 'server'
}

function lastPart(word: string): string {
  return word.split(/[/\\]/).findLast((part) => part !== '') ?? ''
}
