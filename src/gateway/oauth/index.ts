export { loginCredentials } from './login-credentials.ts'
export type { HeldLogin, LoginKeeper, LoginPlace } from './login-keeper.ts'
export { Logins, type LoginsParts } from './logins.ts'
