export { createBackups, createTokens, createTrust } from '../vault/index.ts'
