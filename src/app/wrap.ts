import { randomUUID } from 'node:crypto'
import process from 'node:process'
import type { WrapRequest } from '../cli/index.ts'
import type { Settings } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import {
  CallPath,
  CallRecord,
  MessageInspection,
  PolicyFile,
  StdioServer,
  serverNameOf,
  wrapStdio,
} from '../gateway/index.ts'
import type { CallInspection } from '../secret-tools/index.ts'
import { withKnownValues } from './known-values.ts'
import { lazily } from './lazily.ts'
import type { Stack } from './open-stack.ts'

export interface WrapParts {
  readonly settings: Settings
  readonly log: Log
  readonly stack: () => Promise<Stack>
  readonly inspecting: () => Promise<CallInspection>
  readonly agent: () => Promise<Caller>
}

const MAX_MESSAGE_BYTES = 67_108_864

/** What every program needs of its surroundings to run at all. */
const MINIMUM =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TERM|TMPDIR|TZ|PWD|SystemRoot|SystemDrive|USERPROFILE|APPDATA|LOCALAPPDATA|PROGRAMFILES|PROGRAMDATA|TEMP|TMP|ComSpec|PATHEXT)$/

/** Runs a server behind its policy, for the client on our own standard streams. @returns the exit code */
export async function serveWrapped(
  parts: WrapParts,
  request: WrapRequest,
  signal: AbortSignal,
): Promise<number> {
  const { settings, log } = parts
  if (settings.localOnly || settings.remote !== null)
    throw new Fault('UNSUPPORTED', 'A server is wrapped with the vault of this machine only.', {
      details: { remedy: 'unset SALLYPORT_LOCAL_ONLY and the variables of a remote vault' },
    })
  const name = request.name ?? serverNameOf(request.command)
  const file = request.policy === null ? null : await PolicyFile.open(request.policy, log)
  try {
    if (file === null) await request.say(withoutPolicy(name, request.requiresPolicy))
    const policiesNow = () => (file === null ? [] : [file.now()])
    const record = lazily(async () => {
      const { ledger, identity } = await parts.stack()
      return new CallRecord(ledger, identity.standing)
    })
    const inspection = new MessageInspection({
      inspection: withKnownValues(
        await parts.inspecting(),
        async () => (await parts.stack()).knownTo,
      ),
      server: name,
      log,
      note: async (caller, note) => (await parts.stack()).vault.noteInspection(caller, note),
    })
    const server = await StdioServer.start({
      command: request.command,
      environment: environmentOf(request),
    })
    inspection.warmUp()
    // The first call says what is wrong, if something is.
    record()
      .then((opened) => opened.tidy())
      .catch(() => {})
    const { exit } = await wrapStdio({
      server,
      caller: await parts.agent(),
      path: new CallPath({
        server: name,
        isShadow: !request.requiresPolicy,
        policiesNow,
        inspection,
        record,
        session: randomUUID(),
      }),
      inspection,
      policiesNow,
      log,
      input: process.stdin,
      output: process.stdout,
      maxMessageBytes: MAX_MESSAGE_BYTES,
      signal,
    })
    return exit
  } finally {
    file?.close()
  }
}

function withoutPolicy(name: string, isDenied: boolean): string {
  return isDenied
    ? `No policy for ${name}: every call of a tool is denied. Give one with --policy FILE.`
    : `No policy for ${name}: no call is denied by one; inspection, redaction and audit work. Give one with --policy FILE.`
}

/** @throws {Fault} `BAD_INPUT` for a variable that is named and not there */
function environmentOf({ environment, variables }: WrapRequest): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment))
    if (value !== undefined && MINIMUM.test(name)) passed[name] = value
  for (const name of variables) {
    const value = environment[name]
    if (value === undefined)
      throw new Fault('BAD_INPUT', `The variable '${name}' is not set here.`, {
        details: { field: '--env' },
      })
    passed[name] = value
  }
  return passed
}
