export {
  type DumpedRow,
  type DumpedValue,
  dumpTables,
  emptyTables,
  loadTables,
} from './dump.ts'
export { type Migration, migrate } from './migrate.ts'
export { openPostgres, type PostgresOptions } from './postgres.ts'
export { type OpenRates, openRates, RateBuckets } from './rate-buckets.ts'
export { MIGRATIONS, TABLES } from './schema.ts'
export { openSqlite, type SqliteOptions } from './sqlite.ts'
