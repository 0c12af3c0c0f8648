import type { ExemptableAct, PresenceGate } from '../core/admin-port.ts'
import type { PresenceRequest } from '../core/ask-port.ts'
import { Fault, isFault } from '../core/faults.ts'
import { type Caller, LOCAL_PERSON } from '../core/principals.ts'
import type { Io } from './command.ts'
import type { CliDeps } from './deps.ts'
import { visible } from './text.ts'

const PERSON: Caller = { principal: LOCAL_PERSON, channel: 'cli' }

/**
 * Proves that the person is there and answers the caller that acts as the person. Call it before anything but a look at
 * the words of the command and at what an agent with a shell may list as well: it reaches the rest only through this.
 *
 * @throws {Fault} `PRESENCE_UNAVAILABLE`, `PRESENCE_REFUSED`, `PRESENCE_THROTTLED`, `INPUT_CANCELLED`,
 *   `INPUT_TIMED_OUT`
 */
export async function asPerson(
  deps: Pick<CliDeps, 'presence'>,
  io: Pick<Io, 'signal'>,
  request: PresenceRequest,
): Promise<Caller> {
  return prove(await deps.presence(), io, request)
}

/** Like `asPerson`, for the acts that a setting behind the gate may exempt from it. */
export async function asPersonUnlessExempt(
  deps: Pick<CliDeps, 'presence'>,
  io: Pick<Io, 'signal'>,
  act: ExemptableAct,
  request: PresenceRequest,
): Promise<Caller> {
  const gate = await deps.presence()
  return (await gate.status()).exempt.includes(act) ? PERSON : prove(gate, io, request)
}

/** Paths and labels come from whoever typed the command: they may not shape the question. */
async function prove(
  gate: PresenceGate,
  io: Pick<Io, 'signal'>,
  { action, detail }: PresenceRequest,
): Promise<Caller> {
  await gate.prove(
    { action: capped(action), detail: detail === null ? null : capped(detail) },
    io.signal,
  )
  return PERSON
}

const MAX_SHOWN = 600

function capped(text: string): string {
  const shown = visible(text)
  return shown.length <= MAX_SHOWN ? shown : `${shown.slice(0, MAX_SHOWN)}…`
}

/**
 * Runs `work` as the local agent of this project. When the vault denies that, the person may prove presence and the
 * work runs once more as the person; when the gate does not open, the denial is what the caller sees.
 *
 * @throws {Fault} the vault's `ACCESS_DENIED`, with the gate's sentence in `details.presence`
 */
export async function asAgentOrPerson<T>(
  deps: Pick<CliDeps, 'presence' | 'caller'>,
  io: Pick<Io, 'signal'>,
  request: PresenceRequest,
  work: (caller: Caller) => Promise<T>,
): Promise<T> {
  try {
    return await work(await deps.caller())
  } catch (error) {
    if (!isFault(error, 'ACCESS_DENIED')) throw error
    return work(await asPersonAfter(error, deps, io, request))
  }
}

async function asPersonAfter(
  denial: Fault,
  deps: Pick<CliDeps, 'presence'>,
  io: Pick<Io, 'signal'>,
  request: PresenceRequest,
): Promise<Caller> {
  try {
    return await asPerson(deps, io, request)
  } catch (refusal) {
    if (!isFault(refusal) || !IS_GATE.test(refusal.code)) throw refusal
    throw new Fault('ACCESS_DENIED', denial.message, {
      details: { ...denial.details, presence: refusal.message },
      cause: denial,
    })
  }
}

const IS_GATE = /^(?:PRESENCE|INPUT)_/
