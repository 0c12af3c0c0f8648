import type { Clause, Outcome, Test } from './model.ts'
import { findInSubject, type Judged } from './subject-path.ts'

/** Whether a clause is met: all of its tests. */
export function clauseOutcome({ tests }: Clause, judged: Judged): Outcome {
  return allOf(tests, judged)
}

export function testOutcome(test: Test, judged: Judged): Outcome {
  switch (test.kind) {
    case 'condition': {
      const found = findInSubject(judged, test.path)
      if (found === 'doubt') return 'doubt'
      return found === 'missing' ? test.whenMissing : test.meets(found.value)
    }
    case 'time':
      return test.isOpen(judged.at)
    case 'all':
      return allOf(test.tests, judged)
    case 'any':
      return inverted(noneOf(test.tests, judged))
    case 'not':
      return noneOf(test.tests, judged)
  }
}

/** False as soon as one is not met; else in doubt when one is. */
function allOf(tests: readonly Test[], judged: Judged): Outcome {
  let outcome: Outcome = true
  for (const test of tests) {
    const one = testOutcome(test, judged)
    if (one === false) return false
    if (one === 'doubt') outcome = 'doubt'
  }
  return outcome
}

function noneOf(tests: readonly Test[], judged: Judged): Outcome {
  let outcome: Outcome = true
  for (const test of tests) {
    const one = testOutcome(test, judged)
    if (one === true) return false
    if (one === 'doubt') outcome = 'doubt'
  }
  return outcome
}

function inverted(outcome: Outcome): Outcome {
  return outcome === 'doubt' ? 'doubt' : !outcome
}
