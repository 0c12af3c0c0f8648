import { principalName } from '../core/principals.ts'
import type { CallInspection } from '../secret-tools/index.ts'
import type { PrincipalValues } from '../vault/index.ts'

/** Lets calls be looked at with what the principal behind them was given or entered, in whichever process of theirs. */
export function withKnownValues(
  inspection: CallInspection,
  open: () => Promise<{ of(principal: string): Promise<PrincipalValues> }>,
): CallInspection {
  return {
    ...inspection,
    async knownValuesOf(caller) {
      const own = await (await open()).of(principalName(caller.principal))
      return { find: (text) => own.scan(text), redact: (text) => own.redact(text).text }
    },
  }
}
