import { Fault } from '../core/faults.ts'
import type { AccessPermission } from '../core/policy-port.ts'

/** What an agent of one purpose needs, and nothing more. */
export interface AgentPreset {
  readonly permissions: readonly AccessPermission[]
  /** Where, when nothing else is said; null: it must be said. */
  readonly paths: readonly string[] | null
  /** Life of a token: what runs for minutes needs none for hours. */
  readonly tokenSeconds: number
}

export const AGENT_PRESETS = {
  'read-only': { permissions: ['list', 'read'], paths: null, tokenSeconds: 3600 },
  ci: {
    permissions: ['list', 'read', 'use'],
    paths: ['config/**', 'api-keys/**'],
    tokenSeconds: 900,
  },
  rotation: { permissions: ['list', 'read', 'write'], paths: null, tokenSeconds: 900 },
} as const satisfies Readonly<Record<string, AgentPreset>>

export type AgentPresetName = keyof typeof AGENT_PRESETS

export const AGENT_PRESET_NAMES = ['read-only', 'ci', 'rotation'] as const

/**
 * The policies of a preset.
 *
 * @param paths - what was given; none is the preset's own
 * @throws {Fault} `BAD_USAGE` when the preset has no paths of its own and none were given
 */
export function presetPaths(name: AgentPresetName, paths: readonly string[]): readonly string[] {
  const own: readonly string[] | null = AGENT_PRESETS[name].paths
  const chosen = paths.length > 0 ? paths : own
  if (chosen === null)
    throw new Fault('BAD_USAGE', `--preset ${name} needs to know where: add --path.`, {
      details: { remedy: `sallyport agent create NAME --preset ${name} --path 'api-keys/**'` },
    })
  return chosen
}
