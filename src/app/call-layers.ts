import type { Detector, InspectSettings } from '../inspect/index.ts'

export const MAX_FILE_BYTES = 262_144

export type Layer = Partial<InspectSettings>

/** What the file says, from the widest to the narrowest. */
export interface Rules {
  readonly house: Layer
  readonly agents: ReadonlyMap<string, Layer>
  readonly servers: ReadonlyMap<string, Layer>
  /** By server, then by tool. */
  readonly toolsOf: ReadonlyMap<string, ReadonlyMap<string, Layer>>
  /** Of whichever server. */
  readonly tools: ReadonlyMap<string, Layer>
  /** Beside the built-in ones. */
  readonly detectors: readonly Detector[]
}

export const NO_RULES: Rules = {
  house: {},
  agents: new Map(),
  servers: new Map(),
  toolsOf: new Map(),
  tools: new Map(),
  detectors: [],
}

/** The layers that hold for one call, from the widest to the narrowest. */
export function layersOf(
  rules: Rules,
  call: { readonly agent: string; readonly server: string; readonly tool: string },
): readonly Layer[] {
  return [
    rules.house,
    rules.agents.get(call.agent),
    rules.servers.get(call.server),
    rules.tools.get(call.tool),
    rules.toolsOf.get(call.server)?.get(call.tool),
  ].filter((one) => one !== undefined)
}
