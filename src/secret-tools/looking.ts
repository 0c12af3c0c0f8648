/** What looking at the first call takes: loaded at once, and when there is one. */
export { builtInEngine, isBlocking, isCounted, judge, mergeSettings } from '../inspect/index.ts'
export * as known from './known-texts.ts'
export * as refusal from './refusal.ts'
export * as seen from './seen.ts'
