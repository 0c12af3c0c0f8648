export { acrossEras } from './across-eras.ts'
export { AllDoor, type AllDoorOptions } from './all-door.ts'
export type { AdmittedToAll } from './all-opens.ts'
export type { Reach } from './all-servers.ts'
export type { AppliedPolicy, PoliciesNow } from './applied-policies.ts'
export { ToolsClient } from './ask-for-tools.ts'
export { CallPath } from './call-path.ts'
export type { CallPathOptions } from './call-path-options.ts'
export { CallRecord } from './call-record.ts'
export { standingCounts } from './counter-look-repository.ts'
export { type CounterMark, CounterMarks } from './counter-marks-repository.ts'
export { GatewayState } from './gateway-state-repository.ts'
export { THIS_NODE } from './held-handles.ts'
export {
  HttpDoor,
  type HttpDoorOptions,
  type Knock,
} from './http-door.ts'
export { NO_CREDENTIALS, type UpstreamCredentials } from './http-exchange.ts'
export {
  type DoorRequest,
  type DoorResponse,
  type Elsewhere,
  hostProblem,
  refuse,
  refuseFault,
  type SendOn,
  type WholeRequest,
} from './http-request.ts'
export type { Admitted, MayComeBack } from './http-standings.ts'
export { HttpUpstream } from './http-upstream.ts'
export type { HttpUpstreamOptions } from './http-upstream-options.ts'
export { KnownServers } from './known-servers.ts'
export { MadeTasks } from './made-tasks.ts'
export { type CallInspection, type KnownValues, MessageInspection } from './message-inspection.ts'
export { isMistakable } from './methods.ts'
export { GatewayMetrics, type Gauge, MeteredPath } from './metrics.ts'
export { OpenOfOwners } from './open-of-owners.ts'
export type { PipeWait } from './policy-bytes.ts'
export { PolicyFile } from './policy-file.ts'
export { CallRecorder } from './recording/recorder.ts'
export { createRegistry, type Registry } from './registry.ts'
export { checkedName } from './registry-lookup.ts'
export { RegistryView } from './registry-view.ts'
export { Relay } from './relay.ts'
export type { RelayOptions } from './relay-options.ts'
export { policiesOfRemoved } from './removed-server.ts'
export { Rounds } from './rounds.ts'
export type { ServerErrors, ShownPieces } from './server-errors.ts'
export { type HealthOptions, ServerHealth } from './server-health.ts'
export { serverNameOf } from './server-name.ts'
export { checkedTarget } from './server-target.ts'
export { standingLimits } from './standing-limits.ts'
export { type ServerEnd, StdioServer } from './stdio-server.ts'
export { httpUpstream, type OpenUpstream, stdioUpstream, type Upstream } from './upstream.ts'
export { headersFromVault, type ResolvedHeader } from './upstream-credentials.ts'
export { wrapHttp } from './wrap-http.ts'
export { wrapStdio } from './wrap-stdio.ts'
