export { AddressLimit } from './address-limit.ts'
export { createPages, type Pages, type PagesOptions } from './pages.ts'
export {
  cookieName,
  cookieOf,
  type From,
  type Headed,
  isSameToken,
  originOf,
  sessionCookie,
} from './visit.ts'
