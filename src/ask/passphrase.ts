import { timingSafeEqual } from 'node:crypto'
import type { AskPassphrase } from '../core/ask-port.ts'
import { Fault } from '../core/faults.ts'
import { SecretText } from '../core/secret-text.ts'
import { type AskOptions, askHidden } from './ask-hidden.ts'
import { readFd } from './read-fd.ts'
import { shownText } from './shown-text.ts'

type PassphraseRequest = Parameters<AskPassphrase>[0]
type Purpose = PassphraseRequest['purpose']

const MAX_TRIES = 3

const WORDS: Readonly<Record<Purpose, { title: string; says: string; prompt: string }>> = {
  presence: {
    title: 'Sallyport needs your presence passphrase',
    says: 'Only you know this passphrase. Type it only if you started this yourself.',
    prompt: 'Presence passphrase',
  },
  'new-presence': {
    title: 'Choose a presence passphrase',
    says: 'Sallyport will ask for it before anything that only you may do. Agents must never learn it.',
    prompt: 'New presence passphrase',
  },
  unlock: {
    title: 'Unlock Sallyport',
    says: 'This passphrase opens the vault on this machine.',
    prompt: 'Vault passphrase',
  },
  'new-unlock': {
    title: 'Choose a passphrase for the vault',
    says: 'Without it the vault cannot be opened again. Nobody can reset it.',
    prompt: 'New vault passphrase',
  },
}

/**
 * Asks for a passphrase with a dialog of the system or a hidden terminal prompt, or reads it from the file descriptor
 * that the person passed. A new one is typed twice; what differs is asked again, three times in all. From a descriptor it
 * is read once.
 */
export function createAskPassphrase(
  options: AskOptions & { readonly fd?: number } = {},
): AskPassphrase {
  return async (request, signal) => {
    if (options.fd !== undefined) return await readFd(options.fd)
    const isNew = request.purpose === 'new-presence' || request.purpose === 'new-unlock'
    if (!isNew) return new SecretText(await typed(request, [], '', options, signal))
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const note = tries === 0 ? [] : ['The two did not match. Type it again.', '']
      const first = await typed(request, note, '', options, signal)
      const second = await typed(request, [], ' again', options, signal)
      const isSame = first.byteLength === second.byteLength && timingSafeEqual(first, second)
      second.fill(0)
      if (isSame) return new SecretText(first)
      first.fill(0)
    }
    throw new Fault(
      'INPUT_CANCELLED',
      `The two passphrases differed ${MAX_TRIES} times; none was set.`,
    )
  }
}

async function typed(
  request: PassphraseRequest,
  note: readonly string[],
  suffix: string,
  options: AskOptions,
  signal: AbortSignal,
): Promise<Buffer> {
  const words = WORDS[request.purpose]
  const detail = request.detail === null ? [] : [shownText(request.detail, 300)]
  const answer = await askHidden(
    {
      title: words.title,
      lines: [...note, `To: ${shownText(request.action, 300)}`, ...detail, '', words.says],
      prompt: `${words.prompt}${suffix}`,
      confirm: 'Continue',
      isMultiline: false,
    },
    options,
    signal,
  )
  switch (answer.kind) {
    case 'value':
      if (answer.value.byteLength === 0)
        throw new Fault('INPUT_EMPTY', 'No passphrase was typed; nothing was done.')
      return answer.value
    case 'cancelled':
      throw new Fault('INPUT_CANCELLED', 'The passphrase was not typed; nothing was done.')
    case 'aborted':
      throw new Fault('INPUT_CANCELLED', 'The question was withdrawn; nothing was done.')
    case 'timed-out':
      throw new Fault('INPUT_TIMED_OUT', 'Nobody typed the passphrase in time; nothing was done.')
    case 'too-long':
      throw new Fault('BAD_INPUT', 'The passphrase is too long.', {
        details: { field: 'passphrase' },
      })
    case 'unavailable':
      throw new Fault(
        'PRESENCE_UNAVAILABLE',
        `The ${words.prompt.toLowerCase()} cannot be asked for here: there is neither a display nor a terminal.`,
        { details: { reasons: answer.reasons, remedy: 'run the command in a terminal of yours' } },
      )
  }
}
