import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createPageDesk, type PageDesk } from '../ask/index.ts'
import type { Served } from '../cli/index.ts'
import type { PresenceStatus, ProjectStanding, TokenPort } from '../core/admin-port.ts'
import { placeVariables, type Settings } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import type { SecretText } from '../core/secret-text.ts'
import { systemClock } from '../core/time.ts'
import type { ServerDefinition } from '../mcp/index.ts'
import { authoritiesIn } from '../net/index.ts'
import type { AskDoors, CallInspection, SecretSession } from '../secret-tools/index.ts'
import { createReach } from '../vault/index.ts'
import { keepHouse } from './housekeeping.ts'
import { limitedAuthentication } from './limited-authentication.ts'
import type { Binding } from './listener.ts'
import { openApi, requestLimits, storeAnswers } from './open-api.ts'
import { firstSetupLink, openPages, siteOf } from './open-pages.ts'
import type { Stack } from './open-stack.ts'
import { namePages } from './page-site.ts'
import { isWildcard, serveHttp } from './serve.ts'
import { serverDoors } from './server-doors.ts'

/** For all that is still to be written down. Servers behind the gateway take up to 5 seconds of it to end. */
const END_MS = 6_000

export interface UpOptions {
  readonly settings: Settings
  readonly binding: Binding
  readonly log: Log
  readonly tokens: TokenPort
  readonly stack: Stack
  readonly secretTools: (doors: () => Promise<AskDoors>) => Promise<ServerDefinition<SecretSession>>
  readonly inspection: CallInspection
  readonly doors: () => Promise<AskDoors>
  readonly presence: PresenceStatus
  readonly project: ProjectStanding
  /** Where the project was looked up: the first bearer is for this folder, so that allowing it is all a first read takes. */
  readonly folder: string
  readonly notes: readonly string[]
}

/** Serves HTTP clients with the pages of `input_secret` on the same address, and tells what a person pastes. */
export async function serveUp(options: UpOptions): Promise<Served> {
  const { settings, binding, log, tokens, stack } = options
  const { rateLimits } = settings
  const limits = rateLimits === null ? null : requestLimits(rateLimits, stack.rates)
  const authentication = limitedAuthentication(stack.identity.authentication, limits)
  // A server that could not reach what it depends on does not come up.
  await authoritiesIn(settings.netCa)
  const desk = { mounted: null as PageDesk | null, site: '', baseUrl: '' }
  const doors = async (): Promise<AskDoors> => {
    if (desk.mounted === null) throw new Fault('INTERNAL', 'The server is not up yet.')
    return serverDoors(stack, await options.doors(), desk.mounted, desk.site)
  }
  const serving = await serveHttp({
    settings,
    binding,
    log,
    tokens,
    api: openApi(stack, {
      log,
      inspection: options.inspection,
      pagesAt: () => desk.site,
      ...(settings.publicUrl === null ? {} : { site: settings.publicUrl }),
      ...(settings.rateLimits === null ? {} : { limits: settings.rateLimits }),
    }),
    authentication,
    isReady: () => storeAnswers(stack),
    vaultOf: createReach({ ...stack, standing: stack.identity.standing, clock: systemClock }),
    definition: await options.secretTools(doors),
    async gateway(hostnames) {
      const { openGatewayDoor } = await import('./gateway-door.ts')
      const { inspection } = options
      const limited = { ...stack, identity: { ...stack.identity, authentication } }
      const shared = { settings, log, stack: limited, tokens, inspection, hostnames }
      const address = settings.nodeUrl ?? (isWildcard(binding.host) ? null : desk.baseUrl)
      return openGatewayDoor({ ...shared, address })
    },
    deskAt(mountedAt) {
      desk.mounted = createPageDesk({ mountedAt })
      desk.site = siteOf(settings, mountedAt)
      desk.baseUrl = mountedAt
      return desk.mounted
    },
    pagesAt: (baseUrl) => openPages(stack, settings, baseUrl, log),
  })
  const house = keepHouse(stack, log)
  const unname = namePages(stack, binding, siteOf(settings, serving.baseUrl))
  const setup = await firstSetupLink(stack)
  return {
    url: `${serving.baseUrl}/mcp`,
    stdio: { command: process.execPath, args: [launcher(), 'mcp'], env: placeVariables() },
    token: await firstToken(tokens, options.project.project ?? realpathSync(options.folder)),
    notes: options.notes,
    setupUrl: setup === null ? null : `${siteOf(settings, serving.baseUrl)}/setup/${setup.token}`,
    presence: options.presence,
    project: options.project,
    stopped: serving.stopped,
    async stop() {
      unname()
      stack.db.endWithin(END_MS)
      await Promise.all([house.stop(), serving.stop()])
      // Servers may have taken most of it.
      stack.db.endWithin(END_MS)
    },
  }
}

/** The bearer of the first run, or null when there is one already. */
async function firstToken(tokens: TokenPort, project: string): Promise<SecretText | null> {
  if ((await tokens.list()).length > 0) return null
  return (await tokens.create('first', project)).token
}

/** The file that a client starts: the one that started this process. */
function launcher(): string {
  return realpathSync(process.argv[1] ?? fileURLToPath(import.meta.url))
}
