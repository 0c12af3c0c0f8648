export { Opener, open, type SealContext, seal } from './aead.ts'
export {
  ed25519Pair,
  ed25519Sign,
  ed25519Verify,
  publicKeysFromPem,
  publicPem,
  type SigningPair,
} from './ed25519.ts'
export {
  KEY_BYTES,
  KEY_PURPOSES,
  type KeyPurpose,
  newKeyBytes,
  RootKey,
  type WrappedKey,
} from './key-ring.ts'
export type { KeySource, SealRef } from './key-source.ts'
export { chooseKeySource, readChoice, writeChoice } from './key-sources/choice.ts'
export { keychainSource, keychainText, probeKeychain } from './key-sources/keychain.ts'
export { keyFileSource } from './key-sources/keyfile.ts'
export { type PassphraseSourceOptions, passphraseSource } from './key-sources/passphrase.ts'
export {
  ensurePrivateDirectory,
  readPrivateFile,
  removeFile,
  withFileLock,
  writePrivateFile,
} from './key-sources/private-file.ts'
export { MacKey, RowMac } from './mac.ts'
export {
  assertNewPassphrase,
  derive,
  hashAtCost,
  newParams,
  verifierFor,
  verify,
} from './passphrase.ts'
export { newRecoveryKey, parseRecoveryKey } from './recovery-key.ts'
export { sha256 } from './sha256.ts'
export { newToken, parseToken, sameTokenHash, tokenHash, tokenStart } from './tokens.ts'
export { serveUnlockAgent, type UnlockAgent } from './unlock-agent.ts'
export { agentGet, agentLock, agentPut, agentStatus } from './unlock-client.ts'
export { unlockSocketPath } from './unlock-protocol.ts'
