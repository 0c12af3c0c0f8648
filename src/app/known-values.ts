import { principalName } from '../core/principals.ts'
import type { CallInspection, KnownValues } from '../secret-tools/index.ts'
import type { PrincipalValues } from '../vault/index.ts'
import { askLazily, lazily } from './lazily.ts'

/** Lets calls be looked at with what the principal behind them was given or entered, in whichever process of theirs. */
export function withKnownValues(
  inspection: CallInspection,
  open: () => Promise<{
    of(principal: string): PrincipalValues | Promise<PrincipalValues>
  }>,
): CallInspection {
  const opened = lazily(open)
  const known = new WeakMap<PrincipalValues, KnownValues>()
  const valuesOf = (own: PrincipalValues): KnownValues => {
    let values = known.get(own)
    if (values === undefined) {
      const ofAll: KnownValues = {
        find: (text) => own.scan(text),
        redact: (text) => own.redact(text).text,
        reach: () => own.reach(),
        ofMessage() {
          // Most who call know no value: nothing is kept for them.
          if (own.reach() === 0) return ofAll
          const { scan, redact } = own.ofMessage()
          return { find: scan, redact: (text) => redact(text).text, reach: () => own.reach() }
        },
      }
      values = ofAll
      known.set(own, values)
    }
    return values
  }
  return {
    ...inspection,
    knownValuesOf(caller) {
      const own = askLazily(opened, (values) => values.of(principalName(caller.principal)))
      return own instanceof Promise ? own.then(valuesOf) : valuesOf(own)
    },
  }
}
