export { type Args, type Command, command, type Io, type Json } from './command.ts'
export { allCommands, COMMANDS, type CommandName } from './command-table.ts'
export type {
  BackupSeal,
  Check,
  CliDeps,
  FoundSpan,
  InspectedText,
  Inspection,
  InspectionRules,
  RuleChange,
  RuleScope,
  RulesStanding,
  ScannedFile,
  ScanRequest,
  Served,
  WrapRequest,
} from './deps.ts'
export { type DetectorTally, tallied } from './inspection-tally.ts'
export type {
  AskedServer,
  PolicyAnswer,
  PolicyQuestion,
  PolicyTools,
  SeenCondition,
} from './policy-tools.ts'
export { runProgram } from './program.ts'
export { renderCliDocs } from './render-docs.ts'
export { createIo, processStreams, type Streams } from './terminal.ts'
