export { createAuditPort } from './audit.ts'
export { insertRecords, isRecorded, readTree } from './audit-repository.ts'
export { changeLane } from './change-lane.ts'
export { CheckpointKeys } from './checkpoint-keys.ts'
export { auditEvidence } from './evidence.ts'
export {
  type AdoptedHead,
  fileHeadPlace,
  type HeadPlace,
  type HeadReading,
  headDetail,
  keychainHeadPlace,
  readHead,
} from './head.ts'
export { HeadKeeper, type HeadTrouble } from './head-keeper.ts'
export type { CallJournal, JournalCall, JournaledCall } from './journal/call-journal.ts'
export type { NamedCharge, RecordText } from './journal/entries.ts'
export { JournalDoor } from './journal-door.ts'
export type { Committed, Lane, RecordRef, Settled } from './lane.ts'
export { Ledger } from './ledger.ts'
export type { CallOutcome, Outcome, RecordDraft, RowRevision, StoredRecord } from './record.ts'
export { quoted, recordHead } from './record.ts'
export { retentionTable } from './retention/retention-repository.ts'
export { sinksTable } from './sinks/sink-repository.ts'
export { Sinks } from './sinks/sinks.ts'
export { Frontier } from './tree.ts'
export type { RowCheck, StoreCheck, VerifyOptions } from './verify.ts'
