import type { PathPolicy } from './path-policy.ts'

/** In the order in which they count: the first one found in a folder wins. */
export const PROJECT_FILES = ['.sallyport.yml', '.claude/secrets.yml'] as const
export type ProjectFileName = (typeof PROJECT_FILES)[number]

export const MAX_PROJECT_FILE_BYTES = 65_536

/** What a project's file asks for. It grants nothing until the person approved exactly these bytes. */
export interface ProjectList {
  /** Globs that the agent may read, replace, delete and use. */
  readonly allow: readonly string[]
  /** Globs that may go into child processes and templates, unseen. */
  readonly run: readonly string[]
  readonly warnings: readonly string[]
}

/** What the local agent may do where no list is approved: see names, store at empty paths, have the person asked. */
export const DEFAULT_AGENT_POLICIES: readonly PathPolicy[] = [
  { id: 'agent-default', effect: 'allow', pattern: '**', permissions: ['list', 'create', 'ask'] },
]

/**
 * The path policies of the local agent in a project.
 *
 * @param list - the approved list, or null when there is none
 */
export function policiesOf(list: ProjectList | null): readonly PathPolicy[] {
  if (list === null) return DEFAULT_AGENT_POLICIES
  return [
    { id: 'agent-store', effect: 'allow', pattern: '**', permissions: ['create', 'ask'] },
    ...list.allow.map(
      (pattern): PathPolicy => ({
        id: `project-allow:${pattern}`,
        effect: 'allow',
        pattern,
        // Reading is more than using, so what may be read may be used.
        permissions: ['list', 'read', 'write', 'delete', 'use'],
      }),
    ),
    ...list.run.map(
      (pattern): PathPolicy => ({
        id: `project-run:${pattern}`,
        effect: 'allow',
        pattern,
        permissions: ['list', 'use'],
      }),
    ),
  ]
}
