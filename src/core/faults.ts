/** What a caller may branch on. HTTP status, exit code, help and docs/errors.md come from this table. */
export const FAULTS = {
  BAD_INPUT: { http: 400, exit: 2, help: 'correct the named field and try again' },
  BAD_USAGE: { http: 400, exit: 2, help: 'see --help for the arguments of the command' },
  UNAUTHENTICATED: {
    http: 401,
    exit: 5,
    help: 'send a token or key that is valid; this one may have ended, been replaced or been disabled',
  },
  ACCESS_DENIED: {
    http: 403,
    exit: 5,
    help: 'ask for a policy on this path, or run sallyport allow',
  },
  STEP_UP_REQUIRED: {
    http: 403,
    exit: 5,
    help: 'prove again that it is you, at /step-up or by POST /v1/auth/step-up, then do the same within five minutes',
  },
  THROTTLED: { http: 429, exit: 5, help: 'wait for the time named in the message' },
  QUOTA_EXHAUSTED: { http: 402, exit: 5, help: 'raise the quota, or wait for the next month' },
  APPROVAL_REQUIRED: {
    http: 403,
    exit: 5,
    help: 'have a person decide the named approval, then make the same call again',
  },
  PRESENCE_REFUSED: {
    http: 403,
    exit: 5,
    help: 'type the presence passphrase that was set on this machine',
  },
  PRESENCE_UNAVAILABLE: {
    http: 403,
    exit: 5,
    help: 'set a presence passphrase with sallyport presence set',
  },
  PRESENCE_THROTTLED: { http: 429, exit: 5, help: 'wait for the time named in the message' },
  SECRET_NOT_FOUND: { http: 404, exit: 4, help: 'list the paths you may read' },
  VAULT_NOT_FOUND: { http: 404, exit: 4, help: 'list the vaults with list_vaults' },
  NOT_FOUND: { http: 404, exit: 4, help: 'check the name and try again' },
  SECRET_SPENT: { http: 410, exit: 4, help: 'store a new version of the secret' },
  VERSION_CONFLICT: { http: 409, exit: 6, help: 'read the current version and try again' },
  CONFLICT: { http: 409, exit: 6, help: 'choose another name or remove the one that exists' },
  IDEMPOTENCY_MISMATCH: {
    http: 422,
    exit: 6,
    help: 'use a new Idempotency-Key for a new request',
  },
  INPUT_CANCELLED: { http: 409, exit: 8, help: 'ask again when the person is ready' },
  INPUT_EMPTY: { http: 422, exit: 8, help: 'type a value before confirming' },
  INPUT_TOO_LONG: { http: 413, exit: 8, help: 'values are limited to 65536 bytes' },
  INPUT_TIMED_OUT: { http: 408, exit: 8, help: 'ask again when the person is there' },
  INPUT_BUSY: { http: 429, exit: 8, help: 'wait for the open question to be answered' },
  INPUT_UNAVAILABLE: {
    http: 503,
    exit: 8,
    help: 'have the person run the named sallyport command in a terminal',
  },
  METHOD_NOT_ALLOWED: { http: 405, exit: 2, help: 'use one of the methods in Allow' },
  UNSUPPORTED_MEDIA: { http: 415, exit: 2, help: 'send JSON with Content-Type: application/json' },
  TOO_LARGE: { http: 413, exit: 2, help: 'send less at once' },
  MISSING_SECRETS: { http: 404, exit: 1, help: 'store the named secrets' },
  KEY_SOURCE_UNAVAILABLE: {
    http: 503,
    exit: 7,
    help: 'make the configured key source available; no other source is tried',
  },
  VAULT_LOCKED: { http: 503, exit: 7, help: 'run sallyport unlock' },
  KEY_INVALID: { http: 500, exit: 7, help: 'restore the key that belongs to this store' },
  STORE_UNAVAILABLE: { http: 503, exit: 7, help: 'make the store reachable and writable' },
  STORE_BUSY: { http: 503, exit: 7, help: 'try again; another process held the store too long' },
  STORE_CORRUPT: { http: 500, exit: 7, help: 'restore the last backup' },
  STORE_TAMPERED: {
    http: 500,
    exit: 7,
    help: 'run sallyport audit verify and restore what was changed',
  },
  STORE_NEWER: {
    http: 500,
    exit: 7,
    help: 'upgrade sallyport; this store was written by a newer one',
  },
  AUDIT_UNAVAILABLE: {
    http: 503,
    exit: 7,
    help: 'restore the audit store, or the sink that is named; nothing was released',
  },
  COUNTERS_UNAVAILABLE: {
    http: 503,
    exit: 7,
    help: 'make the counters reachable; calls with limits are denied until then',
  },
  COUNTERS_LOST: {
    http: 503,
    exit: 7,
    help: 'put the data of Redis back, or run sallyport counters accept to count from what is there',
  },
  STOPPING: { http: 503, exit: 7, help: 'try again when the server is up again' },
  AUDIT_BROKEN: { http: 500, exit: 9, help: 'compare with a checkpoint or backup kept elsewhere' },
  INSPECTION_REFUSED: {
    http: 422,
    exit: 5,
    help: 'say it without what was found, or have the person allow the detector',
  },
  NET_REFUSED: {
    http: 403,
    exit: 5,
    help: 'if it is meant to be reached, name it in SALLYPORT_NET_ALLOW',
  },
  NET_FAILED: { http: 502, exit: 7, help: 'make the named server reachable and try again' },
  NET_TIMED_OUT: { http: 504, exit: 7, help: 'try again when the named server answers' },
  NET_TOO_LARGE: { http: 502, exit: 7, help: 'ask the named server for less' },
  NOT_OFFERED: { http: 404, exit: 2, help: 'this server does not offer the call' },
  UNSUPPORTED: { http: 501, exit: 2, help: 'use one of the listed alternatives' },
  INTERNAL: { http: 500, exit: 70, help: 'report this with the request id' },
} as const satisfies Record<string, { http: number; exit: number; help: string }>

export type FaultCode = keyof typeof FAULTS

export interface FaultOptions {
  /** Facts for the caller: the field, the path, the limit. Never a value. */
  readonly details?: Readonly<Record<string, string | number | boolean | readonly string[]>>
  /** The original error. It is kept for the debugger and never sent out. */
  readonly cause?: unknown
}

/** The one error this program throws on purpose. No secret value goes into `message` or `details`. */
export class Fault extends Error {
  readonly code: FaultCode
  readonly details: NonNullable<FaultOptions['details']>

  constructor(code: FaultCode, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Fault'
    this.code = code
    this.details = options.details ?? {}
  }

  get http(): number {
    return FAULTS[this.code].http
  }

  get exit(): number {
    return FAULTS[this.code].exit
  }

  get help(): string {
    return FAULTS[this.code].help
  }
}

export function isFault(error: unknown, code?: FaultCode): error is Fault {
  return error instanceof Fault && (code === undefined || error.code === code)
}

/** Any thrown thing as a fault: what we threw stays, what we did not expect becomes INTERNAL without its text. */
export function asFault(error: unknown): Fault {
  if (error instanceof Fault) return error
  return new Fault('INTERNAL', 'Something failed inside Sallyport.', { cause: error })
}
