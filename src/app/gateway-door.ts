import type { TokenPort } from '../core/admin-port.ts'
import { packageVersion, processEnvironment, type Settings } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import type { ServerInfo } from '../core/gateway-port.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import {
  type Admitted,
  type AdmittedToAll,
  AllDoor,
  type AllDoorOptions,
  acrossEras,
  type CallPathOptions,
  type DoorRequest,
  type DoorResponse,
  GatewayMetrics,
  HttpDoor,
  httpUpstream,
  KnownServers,
  MeteredPath,
  OpenOfOwners,
  type OpenUpstream,
  type RegistryView,
  Rounds,
  type SendOn,
  StdioServer,
  stdioUpstream,
} from '../gateway/index.ts'
import { challengeOf, NO_TOKEN_IN_QUERY, namesToken, shownToken } from '../mcp/index.ts'
import type { CallInspection } from '../secret-tools/index.ts'
import { isLoopback } from './arrival.ts'
import { GatewayNodes, LETTER } from './gateway-nodes.ts'
import { GatewayPeers } from './gateway-peer.ts'
import { httpServer, personOf } from './http-server.ts'
import { lazily } from './lazily.ts'
import { showMetrics } from './metrics-door.ts'
import {
  childEnvironment,
  errorsOf,
  inspectionOf,
  madeTasks,
  openCallRecord,
  openGatewayState,
  openRegistryView,
} from './open-gateway.ts'
import { openRecorder } from './open-recording.ts'
import type { Stack } from './open-stack.ts'

export interface GatewayDoorParts {
  readonly settings: Settings
  readonly log: Log
  readonly stack: Stack
  readonly tokens: Pick<TokenPort, 'verify' | 'list'>
  readonly inspection: CallInspection
  /** Host names beside those of loopback under which this server is reached. */
  readonly hostnames: readonly string[]
  /** Where other processes of the store reach this one. Default: nowhere. */
  readonly address?: string | null
}

/** Where a request came from, as the listener knows it. */
export interface KnockFrom {
  readonly address: string | null
  /** Origin under which the client reached this server. */
  readonly origin: string
}

export interface GatewayDoor {
  /** @param target path and query as they were sent */
  handle(
    request: DoorRequest,
    response: DoorResponse,
    target: string,
    from: KnockFrom,
  ): void | Promise<void>
  close(): Promise<void>
}

const ALL = '/mcp/all'
const METRICS = '/metrics'
const ADDRESS = /^\/s\/([A-Za-z0-9][A-Za-z0-9_.-]{0,63})\/mcp$/

/** The servers of the registry, at `/s/NAME/mcp`. */
export async function openGatewayDoor(parts: GatewayDoorParts): Promise<GatewayDoor> {
  const { stack, tokens, log, inspection, hostnames } = parts
  const view = await openRegistryView(stack, log, 'all')
  const peers = new GatewayPeers({ stack, tokens })
  const record = lazily(async () => openCallRecord(stack))
  const recorder = openRecorder({ stack: async () => stack, inspection, log })
  const metrics = new GatewayMetrics()
  const servers = new KnownServers(view, parts.settings.serverLimits)
  const open = new OpenOfOwners()
  const state = await openGatewayState(async () => stack)()
  const out = lazily(async () => {
    const { outgoing } = await import('../net/index.ts')
    return outgoing({ allow: parts.settings.netAllow, caFile: parts.settings.netCa })
  })
  const nodes = new GatewayNodes({ state, address: parts.address ?? null, out, log })
  await nodes.announce()
  const sendOn: SendOn = (elsewhere) => nodes.sendOn(elsewhere)
  const taking = {
    record,
    recorder,
    tasks: madeTasks(async () => state),
    rounds: new Rounds({
      key: state.roundKey,
      useOnce: (nonce, until) => state.useOnce(nonce, until),
    }),
  }
  const door = new HttpDoor({
    view,
    log,
    ...taking,
    metrics,
    people: async () => stack.approvals.people,
    sendOn,
    hostnames,
    inspectionOf: (server) => inspectionOf(server, { inspection, stack: async () => stack, log }),
    upstreamOf: (server, caller) => upstreamOf(parts, servers, server, caller),
    policiesOf: (admitted, server) => peers.policiesOf(admitted, server),
    maxMessageBytes: parts.settings.maxMessageBytes,
    servers,
    open,
  })
  const openAll = lazily(async () =>
    allDoor(parts, view, peers, { ...taking, sendOn, open }, servers, metrics),
  )
  return {
    handle(request, response, target, { address, origin }) {
      const [pathname = '', query = ''] = target.includes('?') ? target.split('?', 2) : [target]
      const { authorization, dpop } = request.headers
      const shown = () => {
        if (query !== '' && namesToken(new URLSearchParams(query)))
          throw new Fault('BAD_INPUT', NO_TOKEN_IN_QUERY)
        const token = shownToken(authorization ?? null)
        if (token === null) throw new Fault('UNAUTHENTICATED', 'A bearer token is required.')
        return {
          ...token,
          proof: typeof dpop === 'string' ? dpop : null,
          method: request.method ?? 'GET',
          url: origin + pathname,
          address,
        }
      }
      const challenge = (error: string | null) => challengeOf(origin, pathname, error)
      if (pathname === METRICS)
        return showMetrics({ ...parts, metrics, door }, request, response, async () =>
          isLoopback(address ?? '') && authorization === undefined ? null : shown(),
        )
      if (pathname === ALL) {
        const { [LETTER]: letter } = request.headers
        const admit = async () => {
          const all = await view.serversNow()
          if (typeof letter !== 'string') return peers.admitToAll(shown(), all)
          return peers.sentOnToAll(await nodes.admitted<AdmittedToAll>(letter, ALL), all)
        }
        return openAll().then((all) => all.handle({ request, response, admit, challenge }))
      }
      if (nodes.isDue) void nodes.announce()
      const server = ADDRESS.exec(pathname)?.[1] ?? ''
      const { [LETTER]: letter } = request.headers
      const admit = () =>
        typeof letter === 'string'
          ? nodes.admitted<Admitted>(letter, pathname)
          : peers.admit(shown(), server, request.socket)
      return door.handle({ request, response, server, admit, challenge })
    },
    async close() {
      const all = await openAll.made()?.catch(() => null)
      // Nobody is sent here any more.
      await Promise.all([nodes.close(), all?.close(), door.close()])
      await recorder.close()
      view.close()
      await (await out.made())?.close()
    },
  }
}

/** All of them, at `/mcp/all`. */
function allDoor(
  parts: GatewayDoorParts,
  view: RegistryView,
  peers: GatewayPeers,
  {
    sendOn,
    open,
    ...taking
  }: Pick<Required<CallPathOptions>, 'record' | 'recorder' | 'tasks' | 'rounds'> &
    Pick<AllDoorOptions, 'sendOn' | 'open'>,
  servers: KnownServers,
  metrics: GatewayMetrics,
): AllDoor {
  const { log, inspection, stack, hostnames } = parts
  const version = packageVersion()
  return new AllDoor({
    view,
    servers,
    log,
    version,
    rounds: taking.rounds,
    sendOn,
    path: ALL,
    hostnames,
    maxMessageBytes: parts.settings.maxMessageBytes,
    open,
    reachesOf: (admitted) => peers.reachesOf(admitted, view.servers()),
    partsOf({ owner, caller }, reach) {
      const { server, grant } = reach()
      const policiesNow = () => view.policiesAt(server.name, reach().policies)
      const inspecting = inspectionOf(server.name, { inspection, stack: async () => stack, log })
      return {
        upstream: upstreamOf(parts, servers, server, caller),
        version,
        path: new MeteredPath(
          {
            server: server.name,
            isShadow: false,
            policiesNow,
            inspection: inspecting,
            ...taking,
            ...servers.of(server.name),
            session: owner,
            people: async () => stack.approvals.people,
            log,
            ...(grant !== null && { grant }),
          },
          metrics,
        ),
        inspection: inspecting,
        policiesNow,
        log,
      }
    },
  })
}

function upstreamOf(
  { settings, stack, inspection, log }: GatewayDoorParts,
  servers: KnownServers,
  info: ServerInfo,
  caller: Caller,
): OpenUpstream {
  const { name, target } = info
  const { maxMessageBytes } = settings
  const open: OpenUpstream = async (ears) => {
    if (target.kind === 'stdio') {
      const environment = childEnvironment(processEnvironment(), target.variables)
      const errors = errorsOf(name, caller, { inspection, stack: async () => stack, log })
      const server = await StdioServer.start({ command: target.command, environment, errors })
      return stdioUpstream(server, ears, { maxMessageBytes, log })
    }
    const server = await httpServer(
      { settings, stack: async () => stack },
      target,
      personOf(name, 'mcp-http'),
      name,
    )
    const upstream = httpUpstream({ ...server, log, maxMessageBytes }, ears)
    void upstream.ended.then(() => server.out.close())
    return upstream
  }
  const { startMs } = { ...settings.serverLimits, ...target.limits }
  return acrossEras(open, { startMs, log, known: servers.eraOf(info) })
}
