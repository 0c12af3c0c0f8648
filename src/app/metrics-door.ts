import type { TokenPort } from '../core/admin-port.ts'
import {
  type DoorRequest,
  type DoorResponse,
  type GatewayMetrics,
  type Gauge,
  type HttpDoor,
  hostProblem,
  refuse,
  refuseFault,
} from '../gateway/index.ts'
import type { ShownBearer } from '../mcp/index.ts'
import { isLoopback } from './arrival.ts'
import { proofOf } from './mcp-peer.ts'
import type { Stack } from './open-stack.ts'

export interface MetricsParts {
  readonly stack: Pick<Stack, 'identity'>
  readonly tokens: Pick<TokenPort, 'verify'>
  readonly metrics: GatewayMetrics
  readonly door: Pick<HttpDoor, 'sessionsByServer' | 'sharedByServer'>
  readonly hostnames: readonly string[]
}

type Shown = Omit<ShownBearer, 'vault'>

/**
 * Figures of the gateway at `/metrics`, for whoever is on this machine and for people who may read the audit.
 *
 * @param shown what came with the request; null for somebody on this machine who shows nothing
 */
export async function showMetrics(
  parts: MetricsParts,
  request: DoorRequest,
  response: DoorResponse,
  shown: () => Promise<Shown | null>,
): Promise<void> {
  try {
    const problem = hostProblem(request, new Set(parts.hostnames))
    if (problem !== null) {
      refuse(response, 403, 'ACCESS_DENIED', problem)
      return
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      refuse(response, 405, 'METHOD_NOT_ALLOWED', 'Figures are read.', { Allow: 'GET, HEAD' })
      return
    }
    const came = await shown()
    if (came !== null) await judged(parts, came)
    const body = parts.metrics.text(gaugesOf(parts))
    response.writeHead(200, {
      'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  } catch (error) {
    refuseFault(response, error)
  }
}

/** @throws {Fault} `UNAUTHENTICATED`, `ACCESS_DENIED` */
async function judged({ stack, tokens }: MetricsParts, shown: Shown): Promise<void> {
  const { bearer, scheme, address } = shown
  const isHere = address !== null && isLoopback(address)
  if (isHere && scheme === 'Bearer' && (await tokens.verify(bearer)) !== null) return
  const proof = proofOf(shown)
  const { authentication, callers } = stack.identity
  const caller = await authentication.authenticate(bearer, {
    address,
    channel: 'http',
    ...(proof !== null && { proof }),
  })
  await callers.demandAudit(caller, 'gateway.metrics')
}

function gaugesOf({ door }: MetricsParts): readonly Gauge[] {
  return [
    {
      name: 'sessions',
      help: 'Sessions of clients that are open.',
      values: () => door.sessionsByServer(),
    },
    {
      name: 'shared_servers',
      help: 'Servers that run for clients without sessions.',
      values: () => door.sharedByServer(),
    },
  ]
}
