import { statSync } from 'node:fs'
import type { PresenceRequest } from '../core/ask-port.ts'
import { type Environment, processEnvironment } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import { ASK_TIMEOUT_MS } from './ask-hidden.ts'
import { encodedCommand, encodedInput, POWERSHELL } from './dialogs/powershell.ts'
import { type ProgramEnd, type ProgramRun, runProgram } from './run-program.ts'
import { shownText } from './shown-text.ts'
import { dialogEnvironment, findSystemProgram } from './system-programs.ts'

/** The action that an administrator installs to let polkit ask for the person's own password. */
export const POLKIT_ACTION = 'org.sallyport.presence'
export const POLKIT_ACTION_FILE = '/usr/share/polkit-1/actions/org.sallyport.presence.policy'

/**
 * Constant JavaScript for Automation; the reason comes as an argument. Exits 0 when the person authenticated (or,
 * probed, could be asked), 3 when not, 4 when this Mac can't ask.
 * Source: Apple's LocalAuthentication framework, LAContext `canEvaluatePolicy` and `evaluatePolicy`; policy 2 is
 * LAPolicyDeviceOwnerAuthentication (Touch ID, or the account's password).
 */
export const TOUCH_ID_SCRIPT = `ObjC.import('Foundation')
ObjC.import('LocalAuthentication')
ObjC.import('stdlib')
function run(argv) {
  const context = $.LAContext.alloc.init
  if (!context.canEvaluatePolicyError(2, null)) $.exit(4)
  if (argv[1] === 'probe') $.exit(0)
  let outcome = null
  context.evaluatePolicyLocalizedReasonReply(2, $(argv[0]), function (isOwner) {
    outcome = isOwner
  })
  while (outcome === null) {
    $.NSRunLoop.currentRunLoop.runUntilDate($.NSDate.dateWithTimeIntervalSinceNow(0.1))
  }
  $.exit(outcome ? 0 : 3)
}
`

/**
 * Constant; the message comes as base64 of JSON on standard input. Exits 0 when Windows Hello verified the person
 * (or, probed, could), 3 when it did not, 4 when it is not set up.
 * Source: Windows.Security.Credentials.UI.UserConsentVerifier (`CheckAvailabilityAsync`, `RequestVerificationAsync`);
 * WindowsRuntimeSystemExtensions.AsTask turns their operations into tasks.
 */
export const HELLO_SCRIPT = `$ErrorActionPreference = 'Stop'
try {
  $line = @($input) -join ''
  if ($line -eq '') { $line = [Console]::In.ReadToEnd() }
  $asked = [System.Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($line.Trim())) | ConvertFrom-Json
  Add-Type -AssemblyName System.Runtime.WindowsRuntime
  $asTask = [System.WindowsRuntimeSystemExtensions].GetMethods() | Where-Object {
    $_.Name -eq 'AsTask' -and $_.GetParameters().Count -eq 1 -and
    $_.GetParameters()[0].ParameterType.Name -eq 'IAsyncOperation\`1'
  } | Select-Object -First 1
  function Await($operation, $type) {
    $task = $asTask.MakeGenericMethod($type).Invoke($null, @($operation))
    $task.Wait() | Out-Null
    $task.Result
  }
  $verifier = [Windows.Security.Credentials.UI.UserConsentVerifier, Windows.Security.Credentials.UI, ContentType = WindowsRuntime]
  $availability = [Windows.Security.Credentials.UI.UserConsentVerifierAvailability, Windows.Security.Credentials.UI, ContentType = WindowsRuntime]
  $result = [Windows.Security.Credentials.UI.UserConsentVerificationResult, Windows.Security.Credentials.UI, ContentType = WindowsRuntime]
  if ((Await ($verifier::CheckAvailabilityAsync()) $availability) -ne 'Available') { exit 4 }
  if ($asked.mode -eq 'probe') { exit 0 }
  if ((Await ($verifier::RequestVerificationAsync($asked.text)) $result) -eq 'Verified') { exit 0 }
  exit 3
} catch { exit 4 }
`

/** The operating system's own check of who is there. */
export interface SystemPresence {
  readonly kind: 'touch-id' | 'windows-hello' | 'polkit'
  /**
   * @returns false when the person was not recognised, or declined
   * @throws {Fault} `PRESENCE_UNAVAILABLE` when the system can't ask now, `INPUT_TIMED_OUT`, `INPUT_CANCELLED`
   */
  prove(request: PresenceRequest, signal: AbortSignal): Promise<boolean>
}

export interface SystemPresenceOptions {
  readonly platform?: NodeJS.Platform
  readonly env?: Environment
  readonly findProgram?: (program: string) => string | null
  /** Whether the administrator has installed the polkit action. */
  readonly hasPolkitAction?: () => boolean
  readonly run?: (run: ProgramRun) => Promise<ProgramEnd>
  /** User id of this process, or null on Windows. */
  readonly userId?: number | null
  readonly processId?: number
  readonly timeoutMs?: number
}

type Mode = 'probe' | 'ask'

interface Check {
  readonly kind: SystemPresence['kind']
  readonly program: string
  command(
    reason: string,
    mode: Mode,
  ): { readonly args: readonly string[]; readonly stdin: Uint8Array }
  /** Exit code of a probe that says that the person would be asked. */
  readonly askable: number
  /** Exit codes of the question; every other means that it could not be asked. */
  readonly confirmed: number
  readonly refused: readonly number[]
}

/** @returns null where the system has no check of its own, or none that asks for something an agent does not know */
export async function findSystemPresence(
  options: SystemPresenceOptions = {},
): Promise<SystemPresence | null> {
  const platform = options.platform ?? process.platform
  const check = checkOf(platform, options)
  const file = check === null ? null : (options.findProgram ?? findSystemProgram)(check.program)
  if (check === null || file === null) return null

  const start = (reason: string, mode: Mode, signal: AbortSignal): Promise<ProgramEnd> =>
    (options.run ?? runProgram)({
      file,
      ...check.command(reason, mode),
      env: dialogEnvironment(options.env ?? processEnvironment(), platform),
      timeoutMs: mode === 'probe' ? PROBE_MS : (options.timeoutMs ?? ASK_TIMEOUT_MS),
      signal,
      maxBytes: 65_536,
    })
  const wouldAsk = async (signal: AbortSignal): Promise<boolean> => {
    const end = await start('', 'probe', signal)
    return end.kind === 'exited' && end.exitCode === check.askable
  }

  if (!(await wouldAsk(new AbortController().signal))) return null
  return {
    kind: check.kind,
    async prove(request, signal) {
      // It may have changed since: polkit can remember an answer, and a remembered one proves nothing.
      const end = (await wouldAsk(signal))
        ? await start(reasonOf(request), 'ask', signal)
        : NOT_ASKED
      if (end.kind === 'timed-out')
        throw new Fault('INPUT_TIMED_OUT', `Nobody answered the ${check.kind} prompt in time.`)
      if (end.kind === 'aborted')
        throw new Fault('INPUT_CANCELLED', 'The question was withdrawn; nothing was done.')
      if (end.kind === 'exited' && end.exitCode === check.confirmed) return true
      if (end.kind === 'exited' && check.refused.some((code) => code === end.exitCode)) return false
      throw new Fault(
        'PRESENCE_UNAVAILABLE',
        `The system cannot check who is there now (${check.kind}).`,
        { details: { remedy: 'run the command again from your desktop' } },
      )
    },
  }
}

const NOT_ASKED: ProgramEnd = { kind: 'not-started', reason: 'it would not ask' }
const PROBE_MS = 15_000

function reasonOf(request: PresenceRequest): string {
  const detail = request.detail === null ? '' : ` (${shownText(request.detail, 200)})`
  return `${shownText(request.action, 200)}${detail}`
}

const SCRIPT_CODES = { askable: 0, confirmed: 0, refused: [3] } as const

function checkOf(platform: NodeJS.Platform, options: SystemPresenceOptions): Check | null {
  switch (platform) {
    case 'darwin':
      return {
        kind: 'touch-id',
        program: '/usr/bin/osascript',
        command: (reason, mode) => ({
          args: ['-l', 'JavaScript', '-', reason, mode],
          stdin: Buffer.from(TOUCH_ID_SCRIPT, 'utf8'),
        }),
        ...SCRIPT_CODES,
      }
    case 'win32':
      return {
        kind: 'windows-hello',
        program: POWERSHELL,
        command: (reason, mode) => ({
          args: ['-NoLogo', '-NoProfile', '-STA', '-EncodedCommand', encodedCommand(HELLO_SCRIPT)],
          stdin: encodedInput({ text: `Sallyport: ${reason}`, mode }),
        }),
        ...SCRIPT_CODES,
      }
    case 'linux':
      return polkitCheck(options)
    default:
      return null
  }
}

/**
 * Source: `man pkcheck`: 0 authorized, 1 not, 2 an authentication is needed and was not allowed or has no agent, 3
 * dismissed. Only 2 without interaction says that somebody would be asked; 0 there means that anyone is let through.
 * polkit never asks root, so root gets no check from it.
 */
function polkitCheck(options: SystemPresenceOptions): Check | null {
  const userId = options.userId === undefined ? (process.getuid?.() ?? null) : options.userId
  if (userId === null || userId === 0 || !(options.hasPolkitAction ?? isActionInstalled)())
    return null
  const args = [
    '--action-id',
    POLKIT_ACTION,
    '--process',
    String(options.processId ?? process.pid),
  ] as const
  return {
    kind: 'polkit',
    program: 'pkcheck',
    command: (_reason, mode) => ({
      args: mode === 'probe' ? args : [...args, '--allow-user-interaction'],
      stdin: new Uint8Array(0),
    }),
    askable: 2,
    confirmed: 0,
    refused: [1, 3],
  }
}

function isActionInstalled(): boolean {
  try {
    const { uid, mode } = statSync(POLKIT_ACTION_FILE)
    return uid === 0 && (mode & 0o022) === 0
  } catch {
    return false
  }
}
