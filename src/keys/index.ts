export { KeyRepository, type KeyRow, readSeal, type SealRow, writeSeal } from './key-repository.ts'
export { type CheckedRow, type MacRow, MacTable } from './mac-table-repository.ts'
export {
  bumpRights,
  rightsRevision,
  rightsRevisionAtOnce,
} from './rights-revision-repository.ts'
export {
  type ChangedRow,
  type HeldKey,
  type KeysOptions,
  type NewSeal,
  StoreKeys,
} from './store-keys.ts'
