import type { PresenceRequest } from './ask-port.ts'
import type { Checkpoint, ConsistencyProof, InclusionProof } from './audit-evidence.ts'
import type { KeySourceKind } from './config.ts'
import type { Caller } from './principals.ts'
import type { SecretText } from './secret-text.ts'
import type { EpochMs } from './time.ts'

/** Proves that the person is there before `work` runs; the proof is recorded with the action it was given for. */
export interface PresenceGate {
  /**
   * Asks for the presence passphrase, or the operating system's own authentication.
   *
   * @returns how it was proved
   * @throws {Fault} `PRESENCE_UNAVAILABLE` when nothing is set up or nobody can be asked, `PRESENCE_REFUSED`,
   *   `PRESENCE_THROTTLED`, `INPUT_CANCELLED`, `INPUT_TIMED_OUT`
   */
  prove(request: PresenceRequest, signal?: AbortSignal): Promise<'passphrase' | 'system'>
  status(): Promise<PresenceStatus>
  /** Sets the first passphrase, or changes it, which takes the old one. */
  set(signal?: AbortSignal): Promise<{ readonly changed: boolean }>
}

export interface PresenceStatus {
  readonly isSet: boolean
  /** When the first passphrase was set: whoever did that holds the gate. */
  readonly setAt: EpochMs | null
  readonly changedAt: EpochMs | null
  readonly system: 'touch-id' | 'windows-hello' | 'polkit' | null
  /** Wrong answers since the last right one. */
  readonly failures: number
  readonly blockedUntil: EpochMs | null
  /** Acts that a setting exempts from the gate. */
  readonly exempt: readonly ExemptableAct[]
}

export type ExemptableAct = 'secret get' | 'env export'

/** One record of the audit tree, as it is shown. */
export interface AuditEntry {
  readonly seq: number
  readonly at: EpochMs
  readonly kind: string
  readonly action: string
  readonly actor: string
  readonly channel: string
  /** Of a client that came over the network, after trusted proxies; else null. */
  readonly address: string | null
  readonly vault: string | null
  readonly path: string | null
  /** Of calls that went through the gateway, and of what else is about a server behind it. */
  readonly server: string | null
  readonly tool: string | null
  /** Of a request that calls no tool. */
  readonly method: string | null
  readonly decision: string | null
  /** For an intent: what became of it, once that is recorded. */
  readonly outcome: string | null
  /** The record's stored bytes as text, exactly as hashed. */
  readonly body: string
}

export interface AuditFilter {
  /** `secret.read`, or `secret.*` for all that begin so. */
  readonly action?: string
  readonly actor?: string
  readonly path?: string
  /** About this server behind the gateway. */
  readonly server?: string
  readonly tool?: string
  readonly from?: EpochMs
  readonly to?: EpochMs
  /** Newest first. Default 50, at most 1000. */
  readonly limit?: number
  /** Only records with a smaller sequence number: the page after this one. */
  readonly before?: number
}

export interface AuditFinding {
  /** What was found: `record-changed`, `record-missing`, `tail-cut`, `store-missing`, `row-changed`, … */
  readonly kind: string
  readonly detail: string
  readonly seq: number | null
}

export interface AuditReport {
  readonly ok: boolean
  readonly size: number
  /** How many of them, the oldest, were pruned down to their hashes. */
  readonly pruned: number
  /** Root hash of the tree, hex. */
  readonly root: string
  readonly head: { readonly size: number; readonly at: EpochMs; readonly place: string } | null
  readonly rowsChecked: number
  readonly findings: readonly AuditFinding[]
}

/** A place outside that gets records, as it stands. */
export interface SinkStanding {
  readonly name: string
  readonly kind: string
  readonly mode: 'required' | 'best-effort'
  /** A path, a host or an origin. */
  readonly place: string
  /** Every record up to this one is there. */
  readonly delivered: number
  readonly lacking: number
  /** The records up to this one were last signed for by a checkpoint in it; 0 for none. */
  readonly signed: number
  /** As far as this process has tried. */
  readonly state: 'untried' | 'working' | 'failing'
  readonly problem: string | null
}

/** How long records are kept, and what was pruned so far. */
export interface RetentionStanding {
  /** Milliseconds; null: for ever. */
  readonly keepMs: number | null
  /** Records 1 to this one are gone but for their hashes. */
  readonly pruned: number
  readonly prunedAt: EpochMs | null
}

export interface PruneReport {
  /** How many records went now. */
  readonly pruned: number
  /** Records 1 to this one are gone but for their hashes. */
  readonly upTo: number
  /** The required sink that still lacks the next record, if that was what ended it. */
  readonly heldBy: string | null
  /** Best-effort sinks that will never get some of them. */
  readonly skipped: readonly string[]
}

export interface AuditPort {
  query(filter: AuditFilter): Promise<readonly AuditEntry[]>
  /** Records as they come, oldest first, beginning after `afterSeq`. Ends when the signal aborts. */
  follow(afterSeq: number, signal: AbortSignal): AsyncIterable<AuditEntry>
  verify(): Promise<AuditReport>
  /** Makes the store as it is the new head, once the person has read what `verify` found; a record names the old one. */
  acceptHead(caller: Caller): Promise<void>
  /**
   * Signs the tree as it is now, or as it was with its first `size` records.
   *
   * @throws {Fault} `AUDIT_BROKEN` when the tree does not follow from its head, `BAD_INPUT` for a size that never was
   */
  checkpoint(size?: number): Promise<Checkpoint>
  /** The public halves of the keys that sign checkpoints, PEM, the newest last. */
  checkpointKeys(): Promise<string>
  /**
   * @param size of the tree that holds the record; without, the tree as it is now
   * @param record its stored bytes as text, for one that was pruned
   * @throws {Fault} `NOT_FOUND` when it was pruned and is not given
   */
  proveInclusion(seq: number, size?: number, record?: string): Promise<InclusionProof>
  proveConsistency(first: number, second?: number): Promise<ConsistencyProof>
  sinks(): Promise<readonly SinkStanding[]>
  /**
   * Replaces all sinks.
   *
   * @param text JSON, see docs/audit-sinks.md
   * @throws {Fault} `BAD_INPUT` naming the field
   */
  setSinks(caller: Caller, text: string): Promise<readonly SinkStanding[]>
  retention(): Promise<RetentionStanding>
  /**
   * Says how long servers keep records.
   *
   * @param keepMs 30 days or more; null: for ever
   */
  setRetention(caller: Caller, keepMs: number | null): Promise<RetentionStanding>
  /**
   * Takes away what was recorded before an instant, but for its hashes, and no further than every required sink has it.
   *
   * @param before 30 days ago or earlier
   * @throws {Fault} `BAD_INPUT`, `AUDIT_BROKEN` when the audit does not verify, `CONFLICT` while another process prunes
   */
  prune(caller: Caller, before: EpochMs): Promise<PruneReport>
  /** Prunes as it was set, at most once a day. @returns null when there was nothing to do */
  pruneAsSet(): Promise<PruneReport | null>
  /** JSON lines of stored bytes with MAC and epoch, oldest first, then one line with the head. */
  export(): AsyncIterable<string>
}

export interface KeyStatus {
  readonly source: KeySourceKind
  readonly sealKeyId: string
  readonly storeId: string
  readonly createdAt: EpochMs
  readonly vaultKeys: readonly {
    readonly vault: string
    readonly keyId: string
    readonly state: 'active' | 'decrypt-only'
    readonly wraps: number
    readonly createdAt: EpochMs
  }[]
  readonly purposeKeys: number
}

export interface KeyPort {
  status(): Promise<KeyStatus>
  /** A new key per vault for new versions, and every older version key wrapped anew under it. */
  rotate(): Promise<{ readonly vaults: number; readonly rewrapped: number }>
  /** A new root key and a new seal key; everything below is wrapped anew. Tokens and records stay valid. */
  rekey(): Promise<{ readonly rewrapped: number }>
  changeSource(
    to: KeySourceKind,
  ): Promise<{ readonly from: KeySourceKind; readonly to: KeySourceKind }>
}

export interface LocalToken {
  readonly id: string
  readonly label: string
  /** Project the bearer was made for: real path, or null. */
  readonly project: string | null
  readonly createdAt: EpochMs
}

export interface TokenPort {
  list(): Promise<readonly LocalToken[]>
  /** The token is shown once; only its keyed hash is stored. */
  create(
    label: string,
    project: string | null,
  ): Promise<{ readonly token: SecretText; readonly info: LocalToken }>
  /** A new token in place of the old one, which is dead at once. */
  rotate(id: string): Promise<{ readonly token: SecretText; readonly info: LocalToken }>
  revoke(id: string): Promise<void>
  /** @returns the bearer's record, or null when it is unknown or revoked */
  verify(token: string): Promise<LocalToken | null>
}

/** What a project's file asks for and whether the person approved exactly that. */
export interface ProjectStanding {
  /** Real path of the project's folder, or null when no ancestor has a file. */
  readonly project: string | null
  /** Real path of the file that counts. */
  readonly file: string | null
  /** Real path of a `.claude/secrets.yml` that is ignored because `.sallyport.yml` stands beside it. */
  readonly ignoredFile: string | null
  /** SHA-256 of the format's name and the file's bytes, hex: what an approval is bound to. Null without a usable file. */
  readonly digest: string | null
  readonly state: 'none' | 'unapproved' | 'approved' | 'revoked' | 'invalid'
  readonly problem: string | null
  readonly allow: readonly string[]
  readonly run: readonly string[]
}

export interface TrustPort {
  /** @param directory where to start looking, default the working directory */
  standing(directory: string): Promise<ProjectStanding>
  /** Approves exactly the bytes shown by `standing`; fails when the file changed since. Behind the presence gate. */
  allow(caller: Caller, standing: ProjectStanding): Promise<ProjectStanding>
  revoke(caller: Caller, project: string): Promise<void>
}

/** A file of settings as the person last approved it. */
export interface ApprovedFile {
  readonly text: string
  readonly at: EpochMs
  /** Principal. */
  readonly by: string
}

/** What the person approved of files of settings that any program of theirs can write. */
export interface ApprovedFilesPort {
  /** @param file absolute path. @returns null when nothing of it is approved */
  approved(file: string): ApprovedFile | null | Promise<ApprovedFile | null>
  /** Behind the presence gate. */
  approve(caller: Caller, file: string, text: string): Promise<void>
  /** Behind the presence gate. @throws {Fault} `NOT_FOUND` when nothing is approved */
  revoke(caller: Caller, file: string): Promise<void>
}

export interface BackupPort {
  /** Sealed to a passphrase, or to a recovery key that is answered once. */
  backup(
    file: string,
    seal: { readonly passphrase: SecretText } | 'recovery-key',
  ): Promise<{ readonly records: number; readonly recoveryKey: SecretText | null }>
}
