import type {
  AuditPort,
  BackupPort,
  ExemptableAct,
  KeyPort,
  PresenceGate,
  PresenceStatus,
  ProjectStanding,
  TokenPort,
  TrustPort,
} from '../core/admin-port.ts'
import type { ApprovalPort, WebhookPort } from '../core/approval-port.ts'
import type { AskPassphrase, BrowserDoor } from '../core/ask-port.ts'
import type { AuditEvidence } from '../core/audit-evidence.ts'
import type { CanaryPort } from '../core/canary-port.ts'
import type { Environment, SanitizationMode } from '../core/config.ts'
import type {
  GatewayStatus,
  ServerPort,
  ServerTarget,
  ToolPolicyPort,
  UpstreamHeader,
} from '../core/gateway-port.ts'
import type { GrantPort } from '../core/grant-port.ts'
import type { AgentPort, FreezePort, WorkloadPort } from '../core/identity-port.ts'
import type { PeoplePort } from '../core/people-port.ts'
import type { PolicyPort } from '../core/policy-port.ts'
import type { Caller } from '../core/principals.ts'
import type { QuotaPort } from '../core/quota-port.ts'
import type { ReplayPort } from '../core/replay-port.ts'
import type { SecretText } from '../core/secret-text.ts'
import type { SharePort } from '../core/share-port.ts'
import type { EpochMs } from '../core/time.ts'
import type { LoginPort } from '../core/upstream-login-port.ts'
import type { UseResult, VaultPort } from '../core/vault-port.ts'
import type { Json } from './command.ts'
import type { PolicyTools } from './policy-tools.ts'

/** One line of `sallyport doctor`. */
export interface Check {
  /** What was looked at: `data directory`. */
  readonly name: string
  readonly state: 'ok' | 'warn' | 'fail'
  /** What was found, in one line. */
  readonly found: string
  /** What to do about it; null when there is nothing to do. */
  readonly cure: string | null
}

/** A running `sallyport up`. */
/** Where `up` listens. */
export interface ServeAt {
  /** Null is the setting's. */
  readonly port: number | null
  readonly host: string
  /** Files with PEM; null: no TLS. */
  readonly tls: { readonly cert: string; readonly key: string } | null
  /** Addresses and ranges of proxies whose word on the client counts. */
  readonly behindProxy: readonly string[]
}

export interface Served {
  /** Where HTTP clients connect: `http://127.0.0.1:4747/mcp`. */
  readonly url: string
  /** How a client starts the stdio server. */
  readonly stdio: {
    readonly command: string
    readonly args: readonly string[]
    /** Where this vault is, when it is not where every start would look. Clients pass no variables on by themselves. */
    readonly env: Readonly<Record<string, string>>
  }
  /** The bearer for HTTP clients: only in the run that made it, null ever after. */
  readonly token: SecretText | null
  /** One sentence each on what this start did or chose: where the keys live, that a vault was made. */
  readonly notes: readonly string[]
  /** Where the first account is made: in the run that made the store, once and for 30 minutes. */
  readonly setupUrl: string | null
  readonly presence: PresenceStatus
  /** The project that the working directory belongs to. */
  readonly project: ProjectStanding
  /** Resolves when the server has stopped, whoever stopped it; rejects when it failed. */
  readonly stopped: Promise<void>
  /** Answers what is under way, closes the store, and resolves `stopped`. */
  stop(): Promise<void>
}

/** Agents with keys, what they may do, and what is stopped. */
export interface IdentityDoors {
  /** People with accounts; loaded when it is asked for. */
  people(): Promise<{ readonly people: PeoplePort }>
  readonly agents: AgentPort
  readonly workloads: WorkloadPort
  readonly policies: PolicyPort
  readonly freezes: FreezePort
  readonly grants: GrantPort
  readonly quotas: QuotaPort
  readonly canaries: CanaryPort
  readonly shares: SharePort
}

/** The vault's `use`, bound to a caller and a vault. Not called when nothing refers to a secret. */
export type UseSecrets = (
  paths: readonly string[],
  options: { readonly all: boolean },
) => Promise<readonly UseResult[]>

export const ON_MISSING = ['error', 'empty', 'keep'] as const
export type OnMissing = (typeof ON_MISSING)[number]

export const EXPORT_FORMATS = ['shell', 'dotenv', 'json'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

export const VERDICTS = ['clean', 'warning', 'suspicious', 'malicious'] as const
export type Verdict = (typeof VERDICTS)[number]

/** One finding that counts. Offsets are UTF-16 units of the inspected text. */
export interface FoundSpan {
  readonly detector: string
  readonly category: string
  readonly severity: 'low' | 'medium' | 'high' | 'critical'
  readonly confidence: number
  readonly start: number
  readonly end: number
}

export interface InspectHow {
  /** One of `kinds`; null: what the text itself suggests. */
  readonly kind: string | null
  readonly mode: SanitizationMode
  /** Outputs are recorded and never blocked. */
  readonly direction: 'input' | 'output'
}

export interface InspectedText {
  readonly verdict: Verdict
  readonly blocked: boolean
  /** In the order of the text. */
  readonly findings: readonly FoundSpan[]
  /** In mode `surgical` the text that goes on; null in the other modes. */
  readonly cleaned: string | null
}

/** A file that was looked at, or why it was not. */
export interface ScannedFile {
  /** From the folder the scan started in, with forward slashes. */
  readonly file: string
  /** Why it was left out, or null. */
  readonly skipped: string | null
  readonly findings: readonly (FoundSpan & {
    /** From 1; columns in UTF-16 units. */
    readonly startLine: number
    readonly startColumn: number
    readonly endLine: number
    readonly endColumn: number
  })[]
  readonly verdict: Verdict
}

export interface ScanRequest {
  readonly directory: string
  /** Files and folders; none is the directory. */
  readonly paths: readonly string[]
  /** A revision or range of git: only lines that it added. Null is whole files. */
  readonly diff: string | null
}

/** The detectors, for texts and files of the person. Opens no vault. */
export interface Inspection {
  readonly kinds: readonly string[]
  /** @throws {Fault} `BAD_INPUT` for a kind that is none */
  inspect(text: string, how: InspectHow): InspectedText
  /** @throws {Fault} `BAD_INPUT` for a path that is not there or a range that git does not know */
  scanFiles(request: ScanRequest): AsyncIterable<ScannedFile>
  /** What a detector looks for, in a line; null when there is none of that name. */
  summaryOf(detector: string): string | null
  /** SARIF 2.1.0. */
  sarif(files: readonly ScannedFile[]): Json
}

/** Where a rule holds; nothing given is everywhere. An agent goes with neither server nor tool. */
export interface RuleScope {
  /** Principal: `agent:local`. */
  readonly agent?: string | undefined
  readonly server?: string | undefined
  readonly tool?: string | undefined
}

/** One change to the inspection file. */
export type RuleChange =
  | { readonly to: 'mode'; readonly mode: SanitizationMode | null }
  /** What the detector finds is dropped, or is no longer. */
  | { readonly to: 'off' | 'on'; readonly detector: string }
  | { readonly to: 'threshold'; readonly detector: string; readonly from: number }
  | {
      readonly to: 'allow'
      readonly detector: string
      /** JSON path. */
      readonly path: string | undefined
      readonly reason: string
      readonly expiresAt: EpochMs
    }
  /** Takes all entries of the detector out of the allow-list. */
  | { readonly to: 'disallow'; readonly detector: string }

/** A text of the inspection file that could be approved, and the one that it would replace. */
export interface RulesDraft {
  readonly text: string
  /** What it says, one line each. */
  readonly lines: readonly string[]
  /** What is in the file now; null when there is none. */
  readonly before: string | null
}

export interface RulesStanding {
  readonly file: string
  /** `gone`: what was approved is not there any more. */
  readonly state: 'absent' | 'approved' | 'unapproved' | 'changed' | 'gone' | 'invalid'
  readonly problem: string | null
  /** What the file says. */
  readonly lines: readonly string[]
  /** What was approved and the file no longer says. */
  readonly missing: readonly string[]
  readonly approvedAt: EpochMs | null
}

/** The inspection file: what it says, and what of it the person approved. */
export interface InspectionRules {
  standing(): Promise<RulesStanding>
  /** The file as it is, or with one change; writes nothing. @throws {Fault} `BAD_INPUT` naming the field */
  draft(change?: RuleChange, scope?: RuleScope): Promise<RulesDraft>
  /** Writes the draft and approves it. @throws {Fault} `CONFLICT` when the file changed after the draft was made */
  approve(caller: Caller, draft: RulesDraft): Promise<void>
  /** Takes the approval back: from then on only what is stricter than the defaults counts. */
  revoke(caller: Caller): Promise<void>
}

/** A server of MCP, and what stands before it. */
export interface WrapRequest {
  /** None: as the registered server has it. */
  readonly command: readonly string[]
  /** Of a server that speaks HTTP, or null. */
  readonly url: string | null
  /** Of requests to the address; their values may hold `secret://` references. */
  readonly headers: readonly UpstreamHeader[]
  /** A server that was added, or null. */
  readonly server: string | null
  /** A file, or null. */
  readonly policy: string | null
  /** Without a policy nothing passes. */
  readonly requiresPolicy: boolean
  /** Null: after its package, program or address. */
  readonly name: string | null
  /** Names of variables that the server is given beyond the least. */
  readonly variables: readonly string[]
  readonly environment: Environment
  /** A line for the person. */
  readonly say: (line: string) => Promise<void>
}

export type BackupSeal = 'passphrase' | 'recovery-key'

/**
 * Everything the commands need from the rest of the program. All of it is lazy: nothing is opened, and no module
 * loaded, before a command calls the function, so that `--help` and mistyped commands touch no store.
 */
export interface CliDeps {
  /** The vault that paths refer to when no `--vault` is given: name or id. */
  defaultVault(): string
  /** The folder from which the project is looked up: the setting, else the working directory. */
  projectDirectory(): string
  /** The local agent in the project of this folder, over the channel `cli`. */
  caller(): Promise<Caller>
  /** Opens the store and its keys, once; closed by `close`. */
  openVault(): Promise<VaultPort>
  audit(): Promise<AuditPort>
  /** What can be checked of copies of the audit. Opens no store and no keys. */
  evidence(): Promise<AuditEvidence>
  keys(): Promise<KeyPort>
  tokens(): Promise<TokenPort>
  identity(): Promise<IdentityDoors>
  /** Where browsers find the server: `http://localhost:4747`, or its public address. */
  site(): string
  approvals(): Promise<ApprovalPort>
  webhooks(): Promise<WebhookPort>
  trust(): Promise<TrustPort>
  backups(): Promise<BackupPort>
  presence(): Promise<PresenceGate>
  /** Lets an act through without the gate, or no longer. The command has proved presence before it calls this. */
  exempt(act: ExemptableAct, on: boolean): Promise<void>
  /**
   * Refuses where there is no store, before `audit` or another door makes one. Opens no keys.
   *
   * @throws {Fault} `STORE_UNAVAILABLE`, `STORE_TAMPERED`
   */
  needStore(): Promise<void>
  /** Whether there is a store in the configured place, and anything in it that a restore would replace. Opens no keys. */
  storeState(): Promise<'absent' | 'empty' | 'in-use'>
  /**
   * Fills an absent or empty store from a backup, on a machine with or without configuration.
   *
   * @param ask - called once, after the file's header was read, for what the backup is sealed to
   * @returns how many records came back, and a sentence on where the keys live now
   * @throws {Fault} `CONFLICT` when the store is in use, `KEY_INVALID` for a wrong passphrase or recovery key,
   *   `BAD_INPUT` when the file is no backup or was cut
   */
  restore(
    file: string,
    ask: (seal: BackupSeal) => Promise<SecretText>,
  ): Promise<{ readonly records: number; readonly note: string }>
  /** The MCP secrets server on standard input and output, until the client leaves or the signal aborts. */
  serveMcp(signal: AbortSignal): Promise<void>
  /** Opens or creates the vault and serves it over HTTP. */
  up(binding: ServeAt): Promise<Served>
  doctor(): Promise<readonly Check[]>
  /** Opens the dialog that would ask for a secret here, stores nothing. @returns by which way it was answered */
  tryDialog(signal: AbortSignal): Promise<{ readonly via: string }>
  /** A hidden prompt on the controlling terminal. @throws {Fault} `INPUT_CANCELLED`, `INPUT_UNAVAILABLE` */
  promptHidden(text: string, signal: AbortSignal): Promise<SecretText>
  /**
   * The passphrase that seals the keys or a backup; `new-unlock` asks twice. Typed in a dialog, pinentry or the
   * terminal, whichever is there.
   */
  readonly askPassphrase: AskPassphrase
  /** One line from an open file descriptor, at most 64 KiB. @throws {Fault} `BAD_INPUT` when it is not open */
  readFd(fd: number): Promise<SecretText>
  /** From now on the passphrase of the keys is this one; nobody is asked for it. Never the presence passphrase. */
  usePassphrase(passphrase: SecretText): void
  /**
   * Opens the keys of a passphrase-sealed vault for every process of this user, until `lock` or the idle time-out.
   *
   * @param idleMs - null is the default
   * @throws {Fault} `KEY_INVALID` for a wrong passphrase, `UNSUPPORTED` when the keys need no unlocking
   */
  unlock(options: {
    readonly idleMs: number | null
    readonly signal: AbortSignal
  }): Promise<{ readonly idleMs: number }>
  /** @returns false when nothing was unlocked */
  lock(): Promise<boolean>
  /**
   * Runs a command with the `secret://` references of its env files and assignments resolved, in the environment of
   * that child only; signals are forwarded.
   *
   * @param warn - sentences with names and paths in them, never a value
   * @returns the child's exit code or 128 + signal; 127 or 126 and the problem when it could not be started
   * @throws {Fault} `MISSING_SECRETS` naming every path without a value, `BAD_INPUT`, `NOT_FOUND` for an env file
   */
  runWithSecrets(
    request: {
      /** None: `.env` in the directory, if there is one. Later ones win. */
      readonly envFiles: readonly string[]
      /** `NAME=value` each; they win over the files. */
      readonly assignments: readonly string[]
      readonly onMissing: OnMissing
      readonly command: readonly string[]
      readonly environment: Environment
      readonly directory: string
    },
    use: UseSecrets,
    warn: (sentence: string) => Promise<void>,
  ): Promise<{ readonly exit: number; readonly problem: string | null }>
  /** An env file with its references resolved, as text for a shell, an env file or JSON. Throws as `runWithSecrets`. */
  exportEnv(
    request: {
      readonly file: string
      readonly format: ExportFormat
      readonly onMissing: OnMissing
      readonly directory: string
    },
    use: UseSecrets,
    warn: (sentence: string) => Promise<void>,
  ): Promise<SecretText>
  /**
   * A server behind its policy, for the client on standard input and output, until one of them goes.
   *
   * @returns the server's exit code
   * @throws {Fault} `BAD_INPUT` for a policy that is missing or invalid, or a server that cannot be started
   */
  wrap(request: WrapRequest, signal: AbortSignal): Promise<number>
  /**
   * Goes on counting calls from what Redis holds, after it lost something.
   *
   * @returns where that is
   * @throws {Fault} `CONFLICT` when nothing was lost, `UNSUPPORTED` where the store counts, `COUNTERS_UNAVAILABLE`
   */
  acceptCounters(caller: Caller): Promise<string>
  /** What goes through the gateway: calls since a moment, and what is used of limits. */
  gatewayStatus(caller: Caller, since: EpochMs): Promise<GatewayStatus>
  /** The servers behind the gateway, the logins at them and the policies on their tools. */
  registry(): Promise<{
    readonly servers: ServerPort
    readonly policies: ToolPolicyPort
    readonly logins: () => Promise<LoginPort>
    /** @throws {Fault} `BAD_INPUT` where a grant would name a server or a policy that is not there */
    checkGrant(
      caller: Caller,
      names: { readonly server: string; readonly policies: readonly string[] },
    ): Promise<void>
  }>
  /**
   * Whether a server can be added, by what is said of it. Opens nothing.
   *
   * @throws {Fault} `BAD_INPUT` naming the field
   */
  checkServer(name: string, target: ServerTarget): Promise<void>
  browser(): Promise<BrowserDoor>
  policyTools(): Promise<PolicyTools>
  /** Drafts of policies, tried on recorded calls. */
  replays(): Promise<ReplayPort>
  inspection(): Promise<Inspection>
  inspectionRules(): Promise<InspectionRules>
  /** Closes what the command opened. Called once, after it ended or failed. */
  close(): Promise<void>
}
