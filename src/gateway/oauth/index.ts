export { loginCredentials } from './login-credentials.ts'
export type { HeldLogin, LoginKeeper, LoginUse } from './login-keeper.ts'
export { Logins, type LoginsParts } from './logins.ts'
