import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setPresenceIn } from './presence.ts'
import { onTerminal, type Typed } from './pty.ts'
import { programMissing } from './require.ts'
import { compiledCode, LAUNCHER } from './serving.ts'
import { openTestVault, type TestVault } from './vault.ts'

export interface Ran {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

/** A place of its own for the CLI, with a person who knows the presence passphrase and an agent who does not. */
export interface GatedHome {
  readonly folder: string
  readonly home: string
  readonly project: string
  readonly env: Readonly<Record<string, string>>
  readonly passphrase: string
  /** Runs a command as an agent's shell would, with no terminal that could be reached. */
  piped(argv: readonly string[]): Promise<Ran>
  /** The person sets the passphrase. */
  setPresence(): Promise<void>
  /** Runs a command on a terminal, where the person types the presence passphrase. @returns what it printed */
  proven(argv: readonly string[]): Promise<string>
  /** What the terminal showed while it did. @param typed what the person types besides, later */
  provenAndSeen(
    argv: readonly string[],
    typed?: readonly Typed[],
  ): Promise<{ readonly stdout: string; readonly terminal: string }>
  provenJson<T>(argv: readonly string[]): Promise<T>
  /** Works on the store beside the commands, as another process does. */
  beside<T>(work: (vault: TestVault) => Promise<T>): Promise<T>
  remove(): void
}

/** Why such a place can't be made here, or false. */
export const noGatedHome = programMissing('script', 'apt-get install bsdutils')

// oxlint-disable-next-line no-control-regex
const PROMPT = /assphrase(?: again)?: \u001b/

export function gatedHome(name: string): GatedHome {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `sallyport-${name}-`)))
  const home = join(folder, 'home')
  const project = join(folder, 'project')
  mkdirSync(project)
  const passphrase = `correct ${randomBytes(6).toString('hex')} staple`
  // No display, no session bus, no colours.
  const env = {
    ...compiledCode(),
    PATH: `${resolve(process.execPath, '..')}:/usr/bin:/bin`,
    HOME: folder,
    LANG: 'C.UTF-8',
    SALLYPORT_HOME: home,
    SALLYPORT_KEY_SOURCE: 'keyfile',
  }
  async function provenAndSeen(argv: readonly string[], typed: readonly Typed[] = []) {
    const file = join(folder, 'out')
    const { exit, output } = await onTerminal(
      ['sh', '-c', `"$@" > '${file}'`, 'sh', process.execPath, LAUNCHER, ...argv],
      { cwd: project, env, typed: [[PROMPT, passphrase], ...typed] },
    )
    assert.equal(exit, 0, output)
    return { stdout: readFileSync(file, 'utf8'), terminal: output }
  }
  const proven = async (argv: readonly string[]): Promise<string> =>
    (await provenAndSeen(argv)).stdout
  return {
    folder,
    home,
    project,
    env,
    passphrase,
    proven,
    provenAndSeen,
    setPresence: () => setPresenceIn(home, passphrase),
    async piped(argv) {
      const child = spawn(process.execPath, [LAUNCHER, ...argv], {
        cwd: project,
        env,
        detached: true,
      })
      const stdout: Buffer[] = []
      const stderr: Buffer[] = []
      child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
      child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
      child.stdin.end()
      const [exit] = (await once(child, 'close')) as [number]
      return {
        exit,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      }
    },
    async provenJson<T>(argv: readonly string[]) {
      return JSON.parse(await proven([...argv, '--json'])) as T
    },
    async beside(work) {
      const vault = await openTestVault({ home })
      try {
        return await work(vault)
      } finally {
        await vault.close()
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
