import { isDeepStrictEqual } from 'node:util'
import { Fault } from '../../core/faults.ts'
import { jsonText, tidyYaml } from './document-text.ts'
import { exactValue } from './exact-value.ts'
import { parseJsonTree } from './json-tree.ts'
import { formatOf, policyFault, readToolPolicy } from './read-tool-policy.ts'
import { commentTexts, placeComments } from './yaml-comments.ts'
import { parseYaml, parseYamlTree } from './yaml-tree.ts'

/**
 * A policy in its canonical form: names in one order, what its author said in comments where it was, and nothing else
 * changed. The form of a form is the form.
 *
 * @throws {Fault} `BAD_INPUT` for what is no valid policy
 */
export async function formattedPolicy(file: string, bytes: Uint8Array): Promise<string> {
  const format = formatOf(file, bytes)
  const read = await readToolPolicy(bytes, format)
  if ('problems' in read) throw policyFault(file, read.problems)
  const text = new TextDecoder().decode(bytes)
  const parse = format === 'yaml' ? parseYamlTree : parseJsonTree
  const formatted = format === 'yaml' ? settledYaml(text) : jsonText(parseJsonTree(text))
  // Nobody's policy is changed by how it looks, and nothing is lost of what was said about it.
  if (
    !isDeepStrictEqual(exactValue(parse(formatted)), exactValue(parse(text))) ||
    (format === 'yaml' && !isDeepStrictEqual(commentTexts(formatted), commentTexts(text)))
  )
    throw new Fault('INTERNAL', `'${file}' could not be written in another form.`)
  return formatted
}

/** Where a comment lands depends on what is around it, and settles after a round or two. */
function settledYaml(text: string): string {
  let last = text
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const document = parseYaml(last, true)
    placeComments(document, last)
    const next = tidyYaml(document)
    if (next === last) break
    last = next
  }
  return last
}

const MAX_ROUNDS = 8
