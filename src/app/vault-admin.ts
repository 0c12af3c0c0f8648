export { createBackups, createHandOn, createTokens, createTrust } from '../vault/index.ts'
