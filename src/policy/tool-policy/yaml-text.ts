import { Document, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import { tidyYaml } from './document-text.ts'
import type { JsonNode } from './json-tree.ts'
import { asWritten, needsEscapes } from './yaml-scalars.ts'
import { isReadTwoWays, MERGE_KEY } from './yaml-tree.ts'

/** A document as YAML. */
export function yamlText(root: JsonNode): string {
  const document = new Document(null, { schema: 'core', customTags: asWritten })
  document.contents = yamlNode(root)
  return tidyYaml(document)
}

function yamlNode(node: JsonNode): YAMLMap | YAMLSeq | Scalar {
  switch (node.kind) {
    case 'object': {
      const map = new YAMLMap()
      map.items = node.members.map(({ key, value }) => new Pair(nameOf(key), yamlNode(value)))
      // Conditions and the like read best on one line.
      map.flow = node.members.every(({ value }) => isShort(value)) && node.members.length < 4
      return map
    }
    case 'list': {
      const list = new YAMLSeq()
      list.items = node.items.map(yamlNode)
      list.flow = node.items.every(isShort)
      return list
    }
    case 'number': {
      const scalar = new Scalar(Number(node.source))
      scalar.source = node.source
      return scalar
    }
    case 'text': {
      const scalar = new Scalar(node.value)
      // What some reader takes for something else is put in quotes.
      if (
        !/^[A-Za-z][\w ./-]*[\w/]$/.test(node.value) ||
        /^(?:yes|no|on|off|true|false|null)$/i.test(node.value)
      )
        scalar.type = 'QUOTE_DOUBLE'
      return scalar
    }
    case 'plain':
      return new Scalar(node.value)
  }
}

function nameOf(key: string): Scalar {
  const scalar = new Scalar(key)
  if (isReadTwoWays(key) || key === MERGE_KEY || needsEscapes(key)) scalar.type = 'QUOTE_DOUBLE'
  return scalar
}

function isShort(node: JsonNode): boolean {
  if (node.kind === 'list') return node.items.length < 8 && node.items.every(isPlain)
  return isPlain(node)
}

function isPlain(node: JsonNode): boolean {
  return node.kind === 'text'
    ? node.value.length < 40
    : node.kind !== 'object' && node.kind !== 'list'
}
