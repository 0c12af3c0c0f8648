import type { Caller } from '../core/principals.ts'
import type { CallPath } from './call-path.ts'
import { type Denial, deniedByPolicy } from './denial.ts'
import type { CallAllowed } from './judging.ts'
import { isAboutTask, newTaskIn } from './made-tasks.ts'
import type { Asked } from './relay-messages.ts'
import { MAY_PAUSE } from './relay-rounds.ts'
import { isObject } from './tool-call.ts'

/** What becomes of an answer, once all that it says was judged or written down. */
export type Told = { readonly denial: Denial } | { readonly value: unknown }

type Fields = Readonly<Record<string, unknown>>

/**
 * What has to be done before an answer is told: tasks are remembered by the call that made them, lists of tasks hold
 * only those that may be asked for, and each question that a server has is judged by the rule of its method.
 *
 * @returns null for the answers in which there is nothing of that
 */
export function beforeTold(
  path: CallPath,
  caller: Caller,
  asked: Asked,
  value: unknown,
): Promise<Told> | null {
  if (!isObject(value)) return null
  const { method, request, allowed } = asked
  if (method === 'tools/call') {
    const task = newTaskIn(value)
    if (task !== null) {
      const sent = allowed?.text ?? request.text
      return path.tasks.remember(path.roundOf(caller), task, sent).then(() => ({ value }))
    }
  }
  if (value['inputRequests'] !== undefined && mayAsk(method, value))
    return questionsJudged(path, caller, asked, value)
  return method === 'tasks/list' ? tasksShown(path, caller, value) : null
}

function mayAsk(method: string, value: Fields): boolean {
  return MAY_PAUSE.has(method) ? value['resultType'] === 'input_required' : isAboutTask(method)
}

async function tasksShown(path: CallPath, caller: Caller, value: Fields): Promise<Told> {
  const { tasks } = value
  if (!Array.isArray(tasks)) return { value }
  const shown: unknown[] = []
  for (const task of tasks as readonly unknown[])
    if (isObject(task) && (await path.mayFollow(caller, task))) shown.push(task)
  return { value: shown.length === tasks.length ? value : { ...value, tasks: shown } }
}

/** All of them pass, or the answer does not: nobody could answer half of them. */
async function questionsJudged(
  path: CallPath,
  caller: Caller,
  { request, method }: Asked,
  value: Fields,
): Promise<Told> {
  const { inputRequests } = value
  const refuse = (what: string): Told => ({ denial: deniedByPolicy('(inputRequests)', what) })
  if (!isObject(inputRequests)) return refuse('The server asks for something that no client knows.')
  const { tasks } = path
  const judged: CallAllowed[] = []
  const ofTask: string[] = []
  for (const [key, question] of Object.entries(inputRequests)) {
    const { method: name, params = {} } = isObject(question) ? question : {}
    if (typeof name !== 'string' || !isObject(params)) {
      await settled(judged, 'never-sent')
      return refuse('The server asks for something that no client knows.')
    }
    // Tasks tell what they wait for whenever they are looked at; it is counted once.
    const known = isAboutTask(method) ? tasks.questionOf(request, key, question) : null
    const paid = known !== null && tasks.wasAsked(known) ? { taken: [] } : null
    const what = {
      message: request,
      name,
      isMethod: true,
      isFromServer: true,
      params,
      args: params,
    }
    const one = await path.judgeNow(what, caller, paid)
    if ('denial' in one) {
      await settled(judged, 'never-sent')
      return one
    }
    judged.push(one)
    if (known !== null) ofTask.push(known)
  }
  for (const known of ofTask) tasks.asks(known)
  await settled(judged, 'answered')
  return { value }
}

async function settled(all: readonly CallAllowed[], end: 'answered' | 'never-sent'): Promise<void> {
  for (const one of all) await one.settle(end)
}
