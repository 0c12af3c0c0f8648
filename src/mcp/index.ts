// oxlint-disable-next-line import/no-unassigned-import -- it is imported for what it sets
import './zod-settings.ts'
import type { ServerDefinition } from './definition.ts'
import type { McpEndpoint, McpEndpointOptions } from './http.ts'

export type {
  ResourceDefinition,
  ServerDefinition,
  ToolAnnotations,
  ToolAnswer,
  ToolCall,
  ToolDefinition,
  Visit,
  VisitRequest,
} from './definition.ts'
export type { AuthenticatedPeer, McpEndpoint, McpEndpointOptions, ShownBearer } from './http.ts'
export { challengeOf, isResourceMetadataPath } from './resource-metadata.ts'
export { NO_TOKEN_IN_QUERY, namesToken, type ShownToken, shownToken } from './shown-token.ts'
export { type StdioConnection, type StdioOptions, serveOverStdio } from './stdio.ts'
export { type JsonObjectSchema, type ListedTool, listedTool } from './tool-schemas.ts'

/** Streamable HTTP, loaded when it is used: a client on stdio does not wait for it. */
export async function openMcpEndpoint<S>(
  definition: ServerDefinition<S>,
  options: McpEndpointOptions<S>,
): Promise<McpEndpoint> {
  const { createMcpEndpoint } = await import('./http.ts')
  return createMcpEndpoint(definition, options)
}
