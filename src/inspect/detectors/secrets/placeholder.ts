import { distinctUnits } from './entropy.ts'

/** Words that stand where a secret will be put. */
const STANDS_FOR =
  /example|sample|placeholder|change[-_ ]?(?:me|it|this)|replace|redacted|removed|masked|dummy|insert[-_ ]|your[-_ ]?|(?:some|fake|mock|bogus)[-_ ]?(?:secret|key|token|pass|api|value|string|random)|goes[-_ ]?here|\.\.\.|…|to[-_ ]?be[-_ ]|enter[-_ ]|(?:secret|token|key|password)[-_ ]?here/i

/** The same unit again and again. */
const REPEATS = /([xX*#.•_0-])\1{5}|([\s\S])\2{13}/

/** Something that a program fills in: `${NAME}`, `{{ name }}`, `<name>`, `%NAME%`, `$(name)`, `[name]`, `#{name}`. */
const TEMPLATES: readonly RegExp[] = [
  /\$\{\{?[\s\w.:?'"/-]{1,60}\}/,
  /\$\([^()]{1,60}\)/,
  /%\([\w.]{1,40}\)s/,
  /\{\{[^{}]{0,60}\}\}/,
  /#\{[^{}]{1,60}\}/,
  /\$[A-Z_]{3}|<%|%>|&lt;/,
  /@[\w.-]{1,40}@$/,
  /^(?:<[^<>]{1,60}>$|\[[^[\]]{1,60}\]$|\{[^{}]{0,60}\}$|%[\w.]{1,40}%|\$[A-Za-z_]|\$\{\w)/,
]

/** Each of the templates has one of these. */
const MARK_OF_TEMPLATE = /[$%{<&@#[]/

/** True for what is put where a secret belongs so that a reader knows to replace it, or a program fills it in. */
export function isPlaceholder(value: string): boolean {
  if (REPEATS.test(value)) return true
  if (MARK_OF_TEMPLATE.test(value) && TEMPLATES.some((one) => one.test(value))) return true
  if (value.length >= 12 && distinctUnits(value) <= 3) return true
  return STANDS_FOR.test(value)
}
