import { rulesFor } from './decide.ts'
import type { CallSubject, MethodSubject, SubjectPath, Test, ToolPolicy } from './model.ts'
import { type Found, findInSubject } from './subject-path.ts'

type Subject = CallSubject | MethodSubject

/** For how long a policy has a call recorded, in seconds; 0: its rule says that it is not; null: it says nothing. */
export function recordSecondsOf(policy: ToolPolicy, subject: Subject): number | null {
  for (const { recordSeconds } of rulesFor(policy, subject))
    if (recordSeconds !== null) return recordSeconds
  return policy.recordSeconds
}

/** The places in the answer to a call that a policy reads: what it lets out, and what it costs. Each once. */
export function resultPathsOf(policy: ToolPolicy, subject: Subject): readonly SubjectPath[] {
  const paths = new Map<string, SubjectPath>()
  const gather = (path: SubjectPath): void => {
    if (path.root === 'result' || path.root === 'text') paths.set(JSON.stringify(path), path)
  }
  for (const { onResult, limits } of rulesFor(policy, subject)) {
    for (const { tests } of [...(onResult?.denyIf ?? []), ...(onResult?.require ?? [])])
      for (const path of pathsIn(tests)) gather(path)
    for (const { cost } of limits) if (cost.kind === 'result') gather(cost.path)
  }
  return [...paths.values()]
}

/** What stands at one of these places in an answer. */
export function foundInResult(result: unknown, subject: Subject, path: SubjectPath): Found {
  const { principal, labels, client, at } = subject
  const nothing = { args: {}, annotations: null, toolClass: null, tool: null }
  const method = 'method' in subject ? subject.method : null
  return findInSubject({ principal, labels, client, at, ...nothing, method, result }, path)
}

/** Every place that tests look at, those within groups too. */
export function pathsIn(tests: readonly Test[]): readonly SubjectPath[] {
  return tests.flatMap((test) =>
    test.kind === 'condition' ? [test.path] : test.kind === 'time' ? [] : pathsIn(test.tests),
  )
}
