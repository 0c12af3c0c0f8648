import type { CliDeps, Served } from '../cli/index.ts'
import type { TokenPort } from '../core/admin-port.ts'
import { loadSettings, type Settings } from '../core/config.ts'
import { isFault } from '../core/faults.ts'
import { createLog } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import type { SecretText } from '../core/secret-text.ts'
import type { AskDoors } from '../secret-tools/index.ts'
import type { AskUnlock } from './key-sources.ts'
import { askLazily, lazily } from './lazily.ts'
import type { Stack } from './open-stack.ts'

const doorsOf = ({ identity, grants, policies, sharing }: Stack) => ({
  ...identity,
  grants,
  policies,
  ...sharing,
})

/** Joins the domains into what the commands ask for. Every module behind a dot-import is loaded when it is needed. */
export function wire(settings: Settings = loadSettings()): CliDeps {
  const log = createLog(settings.logLevel)
  const notes: string[] = []
  let passphrase: SecretText | null = null
  /** An MCP client's child must not put questions about the master passphrase before the person. */
  let mayAskUnlock = true
  /** Whether somebody does not read what is written to our standard error. */
  let isUnread = false

  const ask = lazily(() => import('../ask/index.ts'))
  const keySources = lazily(() => import('./key-sources.ts'))
  const askUnlock: AskUnlock = async (purpose) =>
    passphrase?.copy() ??
    (await keySources()).askForUnlock((await ask()).createAskPassphrase(), purpose)
  const sourceOf = async () =>
    (await keySources()).sourcesFor(
      settings,
      mayAskUnlock || passphrase !== null ? askUnlock : null,
    )

  const localVault = lazily(() => import('./local-vault.ts'))
  const stack = lazily<Stack>(async () => {
    const { openStack, tellOfApprovals } = await localVault()
    const onFirstRun = (reason: string) => notes.push('A new vault was made.', reason)
    const opened = await openStack({ settings, log, sourceOf: await sourceOf(), onFirstRun })
    return tellOfApprovals(opened)
  })
  const vaultAdmin = lazily(() => import('./vault-admin.ts'))
  const presence = lazily(async () =>
    (await import('./open-presence.ts')).openPresence(await stack()),
  )
  const tokens = lazily<TokenPort>(async () => (await vaultAdmin()).createTokens(await stack()))
  const trust = lazily(async () => (await vaultAdmin()).createTrust(await stack()))

  const approvals = lazily(async () => (await localVault()).createApprovedFiles(await stack()))
  /** Without a vault nobody can have approved anything. */
  const approvedNow = (file: string) =>
    settings.localOnly || settings.remote !== null
      ? null
      : askLazily(approvals, (files) => files.approved(file))
  const inspectionRules = async () => {
    const { createInspectionRules } = await import('./inspection-rules-port.ts')
    return createInspectionRules(settings.inspectionFile, await approvals())
  }

  const projectDirectory = (): string => settings.projectDir ?? process.cwd()
  const agent = async (channel: Caller['channel']): Promise<Caller> =>
    (await localVault()).agentIn(projectDirectory(), channel)
  const doors = lazily(async () => {
    const { createAskSecret, createPageDesk, createTurnstile } = await ask()
    const turnstile = createTurnstile()
    return {
      pages: createPageDesk(),
      askSecret: createAskSecret(),
      pass: <T>(principal: string, work: () => Promise<T>, signal: AbortSignal) =>
        turnstile.pass(principal, work, signal),
    }
  })
  const remoteMode = lazily(async () => {
    const { remote } = settings
    if (remote === null) return null
    return (await import('./remote-mode.ts')).openRemoteMode(settings, remote)
  })
  const secretTools = async (openDoors: () => Promise<AskDoors>) => {
    const { openSecretTools } = await import('./open-secret-tools.ts')
    return openSecretTools({ settings, log, remoteMode, stack, openDoors, inspecting })
  }
  const inspecting = async () => {
    const { callInspection } = await import('./call-inspection.ts')
    if (!settings.inspection.isEnabled) log.warn('inspection and redaction are switched off')
    return callInspection(settings, approvedNow, log)
  }
  let serving: Served | null = null
  return {
    defaultVault: () => settings.vault,
    projectDirectory,
    caller: () => agent('cli'),
    openVault: async () => (await stack()).vault,
    audit: async () => (await stack()).audit,
    evidence: async () => (await import('../audit/index.ts')).auditEvidence,
    presence,
    tokens,
    identity: async () => doorsOf(await stack()),
    site: () => settings.publicUrl ?? `http://localhost:${settings.port}`,
    approvals: async () => (await stack()).approvals.approvals,
    webhooks: async () => (await stack()).approvals.webhooks,
    trust,
    askPassphrase: async (request, signal) => (await ask()).createAskPassphrase()(request, signal),
    promptHidden: async (text, signal) => (await ask()).promptHidden(text, { signal }),
    readFd: async (fd) => (await ask()).readFd(fd),
    tryDialog: async (signal) => (await ask()).tryDialog({}, signal),
    usePassphrase(given) {
      passphrase = given
    },
    async keys() {
      const { openKeyAdmin } = await import('./key-admin.ts')
      const newPassphrase = async (): Promise<void> => {
        passphrase ??= await askUnlock('new-unlock')
      }
      return openKeyAdmin({ settings, stack: await stack(), newPassphrase })
    },
    backups: async () => (await vaultAdmin()).createBackups(await stack()),
    exempt: async (act, on) => (await presence()).exempt(act, on),
    needStore: async () => (await import('./restore.ts')).needStore(settings),
    storeState: async () => (await import('./restore.ts')).storeState(settings),
    async restore(file, askFor) {
      const { restoreBackup } = await import('./restore.ts')
      return restoreBackup({ settings, file, sourceOf: await sourceOf(), ask: askFor })
    },
    async serveMcp(signal) {
      mayAskUnlock = false
      const { serveStdio } = await import('./serve-stdio.ts')
      const agentOfClient = () => agent('mcp-stdio')
      return serveStdio(
        { settings, log, inspecting, secretTools, doors, agent: agentOfClient },
        signal,
      )
    },
    async up(binding) {
      const { serveUp } = await import('./up.ts')
      const opened = await stack()
      serving = await serveUp({
        settings,
        binding: { ...binding, port: binding.port ?? settings.port },
        log,
        tokens: await tokens(),
        stack: opened,
        secretTools,
        inspection: await inspecting(),
        doors,
        presence: await (await presence()).status(),
        project: await (await trust()).standing(projectDirectory()),
        folder: projectDirectory(),
        notes: opened.isNew ? notes : [],
      })
      return serving
    },
    async doctor() {
      const { examine } = await import('./doctor.ts')
      const { dialogsAtHand } = await ask()
      return examine({
        settings,
        openStack: stack,
        presence: async () => (await presence()).status(),
        inspectionRules,
        dialogs: async () => dialogsAtHand({}).map(({ file }) => file),
      })
    },
    unlock: async ({ idleMs }) => (await keySources()).unlockStore(settings, askUnlock, idleMs),
    inspection: async () =>
      (await import('./inspection.ts')).createInspection(settings.inspectionFile),
    inspectionRules,
    async wrap(request, signal) {
      mayAskUnlock = false
      const { serveWrapped } = await import('./wrap.ts')
      return serveWrapped(
        {
          settings,
          log,
          stack,
          inspecting,
          agent: () => agent('mcp-stdio'),
          onUnread() {
            isUnread = true
          },
        },
        request,
        signal,
      )
    },
    registry: async () => (await stack()).registry(),
    async checkServer(name, target) {
      const { checkedName, checkedTarget } = await import('../gateway/index.ts')
      checkedName(name)
      checkedTarget(target)
    },
    browser: async () => (await ask()).createBrowserDoor(),
    gatewayStatus: async (caller, since) =>
      (await import('./gateway-status.ts')).gatewayStatus(await stack(), log, caller, since),
    acceptCounters: async (caller) =>
      (await import('./open-counters.ts')).acceptCounters(await stack(), caller),
    async policyTools() {
      const { policyTools } = await import('./policy-tools.ts')
      return policyTools({ settings, log, stack, agent: () => agent('cli') })
    },
    replays: async () => (await import('./open-replay.ts')).openReplay(await stack()),
    lock: async () => (await keySources()).lockKeys(settings),
    runWithSecrets: async (...given) =>
      (await import('../broker/index.ts')).runWithSecrets(...given),
    exportEnv: async (...given) => (await import('../broker/index.ts')).exportEnv(...given),
    async close() {
      passphrase?.wipe()
      await serving?.stop()
      await (await doors.made())?.pages.close()
      await (await remoteMode.made())?.close()
      await (await stack.made())?.close().catch((error: unknown) => {
        // Who ends a server asked nothing of the store. What it did not take is made up for at the next start.
        if (serving === null || !isFault(error, 'STORE_UNAVAILABLE')) throw error
        log.warn('the store was not there at the end', { reason: error.message })
      })
      // It would keep this process for ever. By then the exit code is set.
      if (isUnread) setImmediate(() => process.exit())
    },
  }
}
