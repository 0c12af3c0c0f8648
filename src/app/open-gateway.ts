import type { Environment } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import { type Caller, principalName } from '../core/principals.ts'
import {
  CallRecord,
  GatewayState,
  MadeTasks,
  MessageInspection,
  RegistryView,
  type ServerErrors,
  type ShownPieces,
} from '../gateway/index.ts'
import type { CallInspection } from '../secret-tools/index.ts'
import { withKnownValues } from './known-values.ts'
import { lazily } from './lazily.ts'
import type { Stack } from './open-stack.ts'

/** What every program needs of its surroundings to run at all. */
const MINIMUM =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TERM|TMPDIR|TZ|PWD|SystemRoot|SystemDrive|USERPROFILE|APPDATA|LOCALAPPDATA|PROGRAMFILES|PROGRAMDATA|TEMP|TMP|ComSpec|PATHEXT)$/

/** Servers and policies as calls are judged by them, until it is closed. */
export async function openRegistryView(
  { db, registry }: Pick<Stack, 'db' | 'registry'>,
  log: Log,
  warnsOf?: 'all' | { readonly server: string },
): Promise<RegistryView> {
  const { tables } = await registry()
  return RegistryView.open({ db, tables, log, ...(warnsOf !== undefined && { warnsOf }) })
}

/** Where calls of tools are counted and recorded. */
export async function openCallRecord({
  db,
  ledger,
  identity,
  approvals,
  counters,
  journal,
}: Pick<
  Stack,
  'db' | 'ledger' | 'identity' | 'approvals' | 'counters' | 'journal'
>): Promise<CallRecord> {
  const { keepYoung } = await import('./young-memory.ts')
  keepYoung()
  const opened = await journal.opened()
  return new CallRecord({
    ...(opened !== null && { journal: opened }),
    ...(counters !== null && { counters: (await counters()).counters }),
    db,
    ledger,
    standing: identity.standing,
    approvals: approvals.approvals,
  })
}

/** What every process of the store knows of calls that are not over; read when the first call needs it. */
export function openGatewayState(stack: () => Promise<Stack>): () => Promise<GatewayState> {
  return lazily(async () => GatewayState.open(await stack()))
}

/** Which calls made the tasks of servers, in whichever process. */
export function madeTasks(state: () => Promise<GatewayState>): MadeTasks {
  return new MadeTasks({
    keepTask: async (...task) => (await state()).keepTask(...task),
    tasksOf: async (...name) => (await state()).tasksOf(...name),
  })
}

interface Inspecting {
  readonly inspection: CallInspection
  /** Opened by the first message that needs it. */
  readonly stack: () => Promise<Stack>
  readonly log: Log
}

/** What looks at the messages of one server, with the values that its callers know. */
export function inspectionOf(server: string, parts: Inspecting): MessageInspection {
  const { inspection, stack, log } = parts
  return new MessageInspection({
    inspection: withKnownValues(inspection, async () => (await stack()).knownTo),
    server,
    log,
    note: async (caller, note) => (await stack()).vault.noteInspection(caller, note),
  })
}

/**
 * What takes the values that its caller knows out of what a server writes to its standard error; null where known
 * values are not taken out of anything.
 */
export function errorsOf(
  server: string,
  { principal }: Caller,
  { inspection: { switches }, stack, log }: Inspecting,
): ServerErrors | null {
  if (!switches.isEnabled || !switches.redactsSecrets) return null
  let shown: ShownPieces | null = null
  return {
    server,
    log,
    async shown() {
      const values = await (await stack()).knownTo.of(principalName(principal))
      shown ??= values.stream()
      return shown
    },
  }
}

/**
 * The environment of a server that we start: the least, and what is named.
 *
 * @throws {Fault} `BAD_INPUT` for a variable that is named and not there
 */
export function childEnvironment(
  environment: Environment,
  variables: readonly string[],
): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment))
    if (value !== undefined && MINIMUM.test(name)) passed[name] = value
  for (const name of variables) {
    const value = environment[name]
    // What stands behind it may be a secret, and clients keep what we say.
    if (name.includes('='))
      throw new Fault('BAD_INPUT', '--env takes the name of a variable, without its value.', {
        details: { field: '--env' },
      })
    if (value === undefined)
      throw new Fault('BAD_INPUT', `The variable '${name}' is not set here.`, {
        details: { field: '--env' },
      })
    passed[name] = value
  }
  return passed
}
