import { accessSync, constants, statSync } from 'node:fs'
import { platform } from 'node:os'
import { type Check, type DetectorTally, type InspectionRules, tallied } from '../cli/index.ts'
import type { PresenceStatus } from '../core/admin-port.ts'
import { SETTINGS, type Settings } from '../core/config.ts'
import { isFault } from '../core/faults.ts'
import { epochMs, systemClock, toIso } from '../core/time.ts'
import type { Stack } from './open-stack.ts'
import { storeFile } from './open-stack.ts'

export interface DoctorParts {
  readonly settings: Settings
  /** Opens the vault as every command does; its failure is one of the findings. */
  openStack(): Promise<Stack>
  presence(): Promise<PresenceStatus>
  inspectionRules(): Promise<InspectionRules>
  /** Names of the dialog programs that could be used here. */
  dialogs(): Promise<readonly string[]>
}

/** Looks at everything that a working vault rests on, and says what to do about what does not hold. */
export async function examine(parts: DoctorParts): Promise<readonly Check[]> {
  const { settings } = parts
  return [
    node(),
    directory('data directory', settings.dataDir),
    directory('state directory', settings.stateDir),
    directory('configuration directory', settings.configDir),
    ...(await store(parts)),
    ...(await asking(parts)),
    ...(await authorities(settings)),
    await inspection(parts),
  ]
}

function node(): Check {
  return { name: 'node', state: 'ok', found: process.versions.node, cure: null }
}

function directory(name: string, path: string): Check {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined)
    return { name, state: 'warn', found: `${path} is not there yet`, cure: 'run sallyport up' }
  if (platform() !== 'win32' && (stat.mode & 0o022) !== 0)
    return {
      name,
      state: 'fail',
      found: `${path} can be written by others`,
      cure: `run: chmod go-w '${path}'`,
    }
  try {
    accessSync(path, constants.W_OK)
  } catch {
    return { name, state: 'fail', found: `${path} cannot be written`, cure: 'make it writable' }
  }
  return { name, state: 'ok', found: path, cure: null }
}

async function store(parts: DoctorParts): Promise<readonly Check[]> {
  const where = parts.settings.databaseUrl === null ? storeFile(parts.settings) : 'PostgreSQL'
  try {
    const stack = await parts.openStack()
    const seal = await stack.db.read((reader) => stack.keys.sealRow(reader))
    const { trouble } = stack.heads
    return [
      // Opening a connection asserts its durability settings, so an open store is a durable one.
      { name: 'store', state: 'ok', found: `${where}, commits are durable`, cure: null },
      { name: 'key source', state: 'ok', found: seal.source, cure: null },
      trouble === null
        ? { name: 'audit head', state: 'ok', found: 'the tree follows from it', cure: null }
        : {
            name: 'audit head',
            state: 'fail',
            found: `the head is ${trouble}`,
            cure: 'run: sallyport audit verify',
          },
      ...(await counters(parts.settings, stack)),
    ]
  } catch (error) {
    if (!isFault(error)) throw error
    return [{ name: 'store', state: 'fail', found: error.message, cure: error.help }]
  }
}

/** What counts limits on tool calls, where that is not the store. */
async function counters({ counters: address }: Settings, stack: Stack): Promise<readonly Check[]> {
  if (address === null || stack.counters === null) return []
  const name = 'counters'
  try {
    const { isLogged } = await (await stack.counters()).check()
    return [
      isLogged
        ? { name, state: 'ok', found: address.shown, cure: null }
        : {
            name,
            state: 'warn',
            found: `${address.shown} forgets when it is started anew, and then calls with limits are denied`,
            cure: 'set appendonly yes and appendfsync always there',
          },
    ]
  } catch (error) {
    if (!isFault(error)) throw error
    const { remedy } = error.details
    const cure = typeof remedy === 'string' ? remedy : error.help
    return [{ name, state: 'fail', found: error.message, cure }]
  }
}

async function asking(parts: DoctorParts): Promise<readonly Check[]> {
  const dialogs = await parts.dialogs()
  const asks: Check =
    dialogs.length > 0
      ? { name: 'asking for a secret', state: 'ok', found: dialogs.join(', '), cure: null }
      : {
          name: 'asking for a secret',
          state: 'warn',
          found: 'no dialog can be shown here',
          cure: 'use a client with URL elicitation, or a terminal; on Linux install zenity or pinentry',
        }
  return [await presence(parts), asks]
}

/** Whom outgoing requests trust beside the system's authorities, where that is set. */
async function authorities({ netCa }: Settings): Promise<readonly Check[]> {
  if (netCa === null) return []
  const name = 'own authorities'
  try {
    const found = await (await import('../net/index.ts')).authoritiesIn(netCa)
    return [{ name, state: 'ok', found: `${found.length} in ${netCa}`, cure: null }]
  } catch (error) {
    if (!isFault(error)) throw error
    return [{ name, state: 'fail', found: error.message, cure: error.help }]
  }
}

async function presence(parts: DoctorParts): Promise<Check> {
  const name = 'presence gate'
  try {
    const status = await parts.presence()
    if (status.setAt === null)
      return status.system === null
        ? { name, state: 'warn', found: 'not set', cure: 'run: sallyport presence set' }
        : { name, state: 'ok', found: status.system, cure: null }
    // Whoever set the first passphrase holds the gate, so its date is there to be recognised.
    const exempt = status.exempt.length === 0 ? '' : `; exempt: ${status.exempt.join(', ')}`
    return { name, state: 'ok', found: `set on ${toIso(status.setAt)}${exempt}`, cure: null }
  } catch (error) {
    if (!isFault(error)) throw error
    return { name, state: 'fail', found: error.message, cure: error.help }
  }
}

const DAYS_LOOKED_AT = 7
const DAY_MS = 86_400_000

/** Whether inspection is on and its file holds, and what it refused lately: a wrong refusal is found here. */
async function inspection(parts: DoctorParts): Promise<Check> {
  const name = 'inspection'
  const { inspection: switches } = parts.settings
  if (!switches.isEnabled)
    return {
      name,
      state: 'warn',
      found: 'switched off, and redaction with it',
      cure: `unset ${SETTINGS.securityEnabled.env.join(', ')}`,
    }
  try {
    const { state } = await (await parts.inspectionRules()).standing()
    if (state !== 'absent' && state !== 'approved')
      return {
        name,
        state: state === 'invalid' ? 'fail' : 'warn',
        found: `the inspection file is ${state}`,
        cure: 'run: sallyport inspection status',
      }
    const { audit } = await parts.openStack()
    const since = epochMs(systemClock() - DAYS_LOOKED_AT * DAY_MS)
    const tallies = await tallied(audit, since)
    const said = [
      `mode ${switches.mode}`,
      ...counted(`refused in ${DAYS_LOOKED_AT} days`, tallies, (one) => one.refused),
      ...counted('would have been in mode block', tallies, (one) => one.wouldRefuse),
    ]
    return {
      name,
      state: 'ok',
      found: said.join('; '),
      cure: said.length === 1 ? null : 'to see which: sallyport inspection report --since 7d',
    }
  } catch (error) {
    if (!isFault(error)) throw error
    // The check of the store says why.
    return { name, state: 'warn', found: `mode ${switches.mode}, not looked into`, cure: null }
  }
}

const MAX_NAMED = 3

function counted(
  what: string,
  tallies: readonly DetectorTally[],
  of: (one: DetectorTally) => number,
): readonly string[] {
  const most = tallies.filter((one) => of(one) > 0).toSorted((a, b) => of(b) - of(a))
  if (most.length === 0) return []
  const named = most.slice(0, MAX_NAMED).map((one) => `${one.detector} ${of(one)}`)
  return [`${what}: ${[...named, ...(most.length > MAX_NAMED ? ['…'] : [])].join(', ')}`]
}
