import { randomUUID } from 'node:crypto'
import process from 'node:process'
import type { WrapRequest } from '../cli/index.ts'
import type { Settings } from '../core/config.ts'
import { asFault, Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import {
  CallPath,
  type CallRecorder,
  ServerHealth,
  StdioServer,
  wrapHttp,
  wrapStdio,
} from '../gateway/index.ts'
import type { CallInspection } from '../secret-tools/index.ts'
import { lazily } from './lazily.ts'
import {
  childEnvironment,
  errorsOf,
  inspectionOf,
  madeTasks,
  openCallRecord,
  openGatewayState,
} from './open-gateway.ts'
import { openRecorder } from './open-recording.ts'
import type { Stack } from './open-stack.ts'
import { PolicyWait } from './policy-wait.ts'
import { type WrappedServer, wrappedServer } from './wrapped-server.ts'

export interface WrapParts {
  readonly settings: Settings
  readonly log: Log
  readonly stack: () => Promise<Stack>
  readonly inspecting: () => Promise<CallInspection>
  readonly agent: () => Promise<Caller>
  /** Told when what the server wrote waits for somebody who does not read our standard error. */
  readonly onUnread: () => void
}

/** Runs a server behind its policies, for the client on our own standard streams. @returns the exit code */
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
  const wait = new PolicyWait(process.stdin, signal)
  let wrapped: WrappedServer
  try {
    wrapped = await wrappedServer(request, { ...parts, wait })
  } catch (error) {
    if (wait.exit === null) throw error
    wait.input.destroy()
    await request.say(asFault(error).message)
    return wait.exit
  }
  const { name, target, policiesNow, onPoliciesChanged, isShadow, notice } = wrapped
  const limits = { ...settings.serverLimits, ...target.limits }
  let recorder: CallRecorder | null = null
  try {
    if (notice !== null) await request.say(notice)
    const record = lazily(async () => openCallRecord(await parts.stack()))
    const inspecting = { inspection: await parts.inspecting(), stack: parts.stack, log }
    const inspection = inspectionOf(name, inspecting)
    recorder = openRecorder(inspecting)
    inspection.warmUp()
    // The first call says what is wrong, if something is.
    record()
      .then((opened) => opened.tidy())
      .then(() => recorder?.prune())
      .catch(() => {})
    const caller = await parts.agent()
    const relayed = {
      caller,
      path: new CallPath({
        server: name,
        isShadow,
        policiesNow,
        inspection,
        record,
        recorder,
        session: randomUUID(),
        health: new ServerHealth(limits),
        people: async () => (await parts.stack()).approvals.people,
        tasks: madeTasks(openGatewayState(parts.stack)),
        log,
      }),
      inspection,
      policiesNow,
      onPoliciesChanged,
      log,
      input: wait.input,
      output: process.stdout,
      maxMessageBytes: settings.maxMessageBytes,
      signal,
    }
    if (target.kind === 'stdio') {
      const { command } = target
      const environment = childEnvironment(request.environment, target.variables)
      const start = () =>
        StdioServer.start({ command, environment, errors: errorsOf(name, caller, inspecting) })
      const { exit, isUnheard } = await wrapStdio({ ...relayed, start })
      if (isUnheard && process.stderr.writableLength > 0) parts.onUnread()
      return exit
    }
    const { httpServer, personOf } = await import('./http-server.ts')
    const server = await httpServer(
      parts,
      target,
      request.server === null ? caller : personOf(name, caller.channel),
      request.server,
    )
    try {
      await wrapHttp({ ...relayed, server })
      return 0
    } finally {
      await server.out.close()
    }
  } finally {
    await recorder?.close()
    wrapped.close()
  }
}
