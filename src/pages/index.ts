export { createPages, type Pages, type PagesOptions } from './pages.ts'
export type { From } from './visit.ts'
