import { Fault, type FaultCode } from '../core/faults.ts'
import { originText } from './rules.ts'

/** What node, OpenSSL and undici call it, and what it says about the other side. First match counts. */
const MEANINGS: readonly [pattern: RegExp, code: FaultCode, text: string][] = [
  [/^UND_ERR_INVALID_ARG$/, 'BAD_INPUT', 'was to be sent a method or header that is not valid'],
  [/^ETIMEDOUT$|_TIMEOUT$/, 'NET_TIMED_OUT', 'did not answer in time'],
  [/^(?:UND_ERR|ERR)_HEADERS_OVERFLOW$/, 'NET_TOO_LARGE', 'answered with too many headers'],
  [/^ENOTFOUND$|^EAI_/, 'NET_FAILED', 'has no address'],
  [
    /^(?:CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_|HOSTNAME_MISMATCH)/,
    'NET_FAILED',
    'has a certificate that does not verify',
  ],
  [/^(?:ERR_SSL_|ERR_TLS_|EPROTO)/, 'NET_FAILED', 'speaks no TLS that could be agreed on'],
  [/^(?:HPE_|UND_ERR_RES)/, 'NET_FAILED', 'answered with something that is not HTTP'],
  [
    /^(?:Z_|ERR_(?:_?BROTLI|ZLIB|ZSTD))/,
    'NET_FAILED',
    'answered with a body that does not decompress',
  ],
  [/^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET)$/, 'NET_FAILED', 'broke the connection off'],
]

/** Any thrown thing as a fault that names the origin and the sort of failure, and nothing that was sent. */
export function netFault(error: unknown, url: URL): Fault {
  if (error instanceof Fault) return error
  const reason = codeOf(error)
  const found = MEANINGS.find(([pattern]) => pattern.test(reason))
  const [code, text] =
    found === undefined ? (['NET_FAILED', 'could not be reached'] as const) : [found[1], found[2]]
  return new Fault(
    code,
    `${originText(url)} ${text}${found === undefined && reason !== '' ? ` (${reason})` : ''}.`,
    {
      cause: error,
      details: { origin: originText(url), ...(reason === '' ? {} : { reason }) },
    },
  )
}

export function timedOut(url: URL, ms: number): Fault {
  return new Fault('NET_TIMED_OUT', `${originText(url)} did not answer within ${ms} ms.`, {
    details: { origin: originText(url), deadlineMs: ms },
  })
}

export function tooLarge(url: URL, maxBytes: number): Fault {
  return new Fault(
    'NET_TOO_LARGE',
    `${originText(url)} answered with more than ${maxBytes} bytes.`,
    {
      details: { origin: originText(url), maxBytes },
    },
  )
}

export function failed(url: URL, why: string): Fault {
  return new Fault('NET_FAILED', `${originText(url)} ${why}.`, {
    details: { origin: originText(url) },
  })
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const code = 'code' in error ? error.code : null
  if (typeof code === 'string' && /^[\w-]{1,60}$/.test(code)) return code
  // undici has no code for an answer that does not even begin as HTTP.
  if (error.name === 'HTTPParserError') return 'HPE_OTHER'
  // Several addresses were tried: what the first one said stands for all.
  if (error instanceof AggregateError) return codeOf(error.errors[0])
  return ''
}
