import type * as z from 'zod'
import type { AskPeople } from '../core/approval-port.ts'
import { Fault } from '../core/faults.ts'
import type { AccessGranting } from '../core/policy-port.ts'
import type { Caller } from '../core/principals.ts'
import type { HandOn } from '../core/share-port.ts'
import type { ToolAnnotations, ToolCall, ToolDefinition, VisitRequest } from '../mcp/index.ts'
import { untilApproved } from './approvals.ts'
import {
  callerOf,
  type SecretCall,
  type SecretSession,
  type SecretToolsOptions,
} from './context.ts'
import type { PageQuestions } from './page-questions.ts'

type Fields = Readonly<Record<string, unknown>>

/** A tool of the secrets server: one declaration a file, named as its file. */
export interface SecretTool<I extends z.ZodType, O extends z.ZodType<Fields>> {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly annotations: ToolAnnotations
  readonly input: I
  readonly output: O
  /** Policies may have people asked first: the call waits for them where its client can. Not with pages of its own. */
  readonly mayWait?: true
  run(
    args: z.output<I>,
    call: SecretCall,
  ): Promise<{ readonly structured: z.output<O>; readonly text: string } | VisitRequest>
}

/** A tool that still has to be told where the vault is. */
export type UnboundTool = (
  options: SecretToolsOptions,
  questions: PageQuestions,
) => ToolDefinition<SecretSession>

export function secretTool<I extends z.ZodType, O extends z.ZodType<Fields>>(
  tool: SecretTool<I, O>,
): UnboundTool {
  return (options, questions) => ({
    ...tool,
    async run(args, mcp) {
      const { vault: vaultName } = mcp.session
      const caller = callerOf(mcp.session, mcp.client)
      const { openPeople, openDoors, log } = options
      const vault = await options.openVault()
      const act = () =>
        // The wire parsed them with `input`.
        tool.run(args as z.output<I>, { vault, vaultName, caller, log, mcp, questions, openDoors })
      return tool.mayWait === true ? untilApproved({ openPeople, caller, mcp }, act) : await act()
    },
  })
}

/** A tool that asks people and needs no vault. */
export interface PeopleTool<I extends z.ZodType, O extends z.ZodType<Fields>>
  extends Omit<SecretTool<I, O>, 'run'> {
  run(
    args: z.output<I>,
    call: {
      readonly people: AskPeople
      readonly caller: Caller
      readonly mcp: ToolCall<SecretSession>
    },
  ): Promise<{ readonly structured: z.output<O>; readonly text: string } | VisitRequest>
}

export function peopleTool<I extends z.ZodType, O extends z.ZodType<Fields>>(
  tool: PeopleTool<I, O>,
): UnboundTool {
  return ({ openPeople }) => ({
    ...tool,
    async run(args, mcp) {
      if (openPeople === undefined) throw new Fault('NOT_OFFERED', 'There is nobody to ask here.')
      // The wire parsed them with `input`.
      return tool.run(args as z.output<I>, {
        people: await openPeople(),
        caller: callerOf(mcp.session, mcp.client),
        mcp,
      })
    },
  })
}

/** A tool that lets others do what its caller may. */
export interface GrantingTool<I extends z.ZodType, O extends z.ZodType<Fields>>
  extends Omit<SecretTool<I, O>, 'run'> {
  run(
    args: z.output<I>,
    call: {
      readonly policies: AccessGranting
      readonly vaultName: string
      readonly caller: Caller
    },
  ): Promise<{ readonly structured: z.output<O>; readonly text: string }>
}

export function grantingTool<I extends z.ZodType, O extends z.ZodType<Fields>>(
  tool: GrantingTool<I, O>,
): UnboundTool {
  return ({ openPolicies, openPeople }) => ({
    ...tool,
    async run(args, mcp) {
      if (openPolicies === undefined) throw new Fault('NOT_OFFERED', 'Nothing is granted here.')
      const policies = await openPolicies()
      const caller = callerOf(mcp.session, mcp.client)
      // The wire parsed them with `input`.
      const given = args as z.output<I>
      return untilApproved({ openPeople, caller, mcp }, () =>
        tool.run(given, { policies, vaultName: mcp.session.vault, caller }),
      )
    },
  })
}

/** A tool that hands secrets on without reading them. */
export interface SharingTool<I extends z.ZodType, O extends z.ZodType<Fields>>
  extends Omit<SecretTool<I, O>, 'run'> {
  run(
    args: z.output<I>,
    call: { readonly handOn: HandOn; readonly vaultName: string; readonly caller: Caller },
  ): Promise<{ readonly structured: z.output<O>; readonly text: string }>
}

export function sharingTool<I extends z.ZodType, O extends z.ZodType<Fields>>(
  tool: SharingTool<I, O>,
): UnboundTool {
  return ({ openHandOn, openPeople }) => ({
    ...tool,
    async run(args, mcp) {
      if (openHandOn === undefined) throw new Fault('NOT_OFFERED', 'Nothing is shared here.')
      const handOn = await openHandOn()
      const caller = callerOf(mcp.session, mcp.client)
      // The wire parsed them with `input`.
      const given = args as z.output<I>
      return untilApproved({ openPeople, caller, mcp }, () =>
        tool.run(given, { handOn, vaultName: mcp.session.vault, caller }),
      )
    },
  })
}

/** Reads, and changes nothing but the count of reads. */
export const READS: ToolAnnotations = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
}

/** Adds, and takes nothing away: what was there stays as an older version. */
export const ADDS: ToolAnnotations = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: false,
  openWorldHint: false,
}

/** Puts something in the place of what clients use now. */
export const REPLACES: ToolAnnotations = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
  openWorldHint: false,
}
