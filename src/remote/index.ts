export { Connection, type ConnectionOptions, type Credential } from './connection.ts'
export { RemoteHandOn } from './remote-hand-on.ts'
export { RemotePeople } from './remote-people.ts'
export { RemoteVault } from './remote-vault.ts'
