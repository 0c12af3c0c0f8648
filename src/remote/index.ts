export { Connection, type ConnectionOptions, type Credential } from './connection.ts'
export { RemoteVault } from './remote-vault.ts'
