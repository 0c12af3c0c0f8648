import type { CompilePattern } from './operators.ts'

const MAX_PATTERN = 1_000
/** Instructions a pattern compiles to; the time for a unit of text grows with it. */
const MAX_INSTRUCTIONS = 500
/** Units of text times instructions, about half a second: what a pattern does not get to read is in doubt. */
const MAX_WORK = 20_000_000

/** Compiles patterns of RE2, whose time is linear in the text. The package is loaded here. */
export async function patternCompiler(): Promise<CompilePattern> {
  const { RE2JS } = await import('re2js')
  return (pattern) => {
    if (pattern === '' || pattern.length > MAX_PATTERN)
      return `a pattern has 1 to ${MAX_PATTERN} characters`
    try {
      const compiled = RE2JS.compile(pattern)
      const instructions = compiled.programSize()
      if (instructions > MAX_INSTRUCTIONS) return 'the pattern is too large'
      return (text) =>
        text.length * instructions > MAX_WORK ? 'doubt' : compiled.matcher(text).find()
    } catch (error) {
      const said = error instanceof Error ? error.message : 'it is no pattern'
      return `the pattern is not RE2: ${said.replace(/^error parsing regexp: /, '')}`
    }
  }
}
