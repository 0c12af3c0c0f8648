import {
  CST,
  type Document,
  isCollection,
  isMap,
  isNode,
  isPair,
  Lexer,
  type Node,
  type Range,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'

/** A map or list whose members stand on lines of their own. */
type Block = YAMLMap | YAMLSeq

/** A member of a block: a key with its value, or a dash with its item. */
interface Entry {
  readonly start: number
  readonly column: number
  readonly block: Block
  readonly parent: Entry | null
  /** What carries the comments before it: the key, or the item. */
  readonly head: Node
  readonly value: Node | null
  /** Lines of comments before it; an empty one is an empty line. */
  readonly before: string[]
}

interface Comment {
  readonly start: number
  readonly end: number
  readonly column: number
  /** Nothing stands before it on its line. */
  readonly isAlone: boolean
  readonly isBehindEmptyLine: boolean
  readonly text: string
}

/**
 * Has every comment outside of brackets stand at the member of the document that it is about: the one that follows
 * where it is indented no deeper than that, the one before it on its line, else the end of the map or list that it is
 * indented with. The library gives most of them to whatever came last.
 *
 * @param document - read from `text`, with its tokens kept
 */
export function placeComments(document: Document, text: string): void {
  const root = document.contents
  if (!isBlock(root)) return
  const entries = entriesOf(root, null, text)
  const comments = withoutBracketed(document, commentsOf(text))
  forget(document)
  const ends = new Map<Block, string[]>()
  const head: string[] = []
  let at = 0
  /** Of the comments between two members none goes back to a deeper one. */
  let reach = Number.POSITIVE_INFINITY
  for (const comment of comments) {
    for (; (entries[at]?.start ?? text.length) < comment.start; at += 1)
      reach = Number.POSITIVE_INFINITY
    const [before, next] = [entries[at - 1], entries[at]]
    if (!comment.isAlone && before !== undefined) {
      putBehind(before, next, comment)
      continue
    }
    reach = Math.min(reach, comment.column)
    const lines = linesFor(comment, reach, before, next, head, ends, root)
    if (comment.isBehindEmptyLine) lines.push('')
    lines.push(comment.text)
  }
  placeHead(document, head, entries[0], text)
  for (const entry of entries) settle(entry, text)
  for (const [block, lines] of ends) block.comment = lines.join('\n')
}

/** The lines that a comment on a line of its own belongs to. */
function linesFor(
  comment: Comment,
  column: number,
  before: Entry | undefined,
  next: Entry | undefined,
  head: string[],
  ends: Map<Block, string[]>,
  root: Block,
): string[] {
  if (before === undefined) return head
  // Between a key and a value that is no map or list of lines.
  if (before.value?.range != null && before.value.range[0] > comment.end && !isBlock(before.value))
    return before.before
  if (next !== undefined && column <= next.column) return next.before
  let entry: Entry | null = before
  while (entry !== null && entry.column > column) entry = entry.parent
  const block = entry?.block ?? root
  if (next !== undefined && (next.block === block || next.parent === before)) return next.before
  const lines = ends.get(block) ?? []
  ends.set(block, lines)
  return lines
}

function putBehind(entry: Entry, next: Entry | undefined, { start, text }: Comment): void {
  const { block, head, value } = entry
  const isOpen = isBlock(value) && (value.range?.[0] ?? 0) > start
  if (isOpen && isMap(block)) append(head, text)
  // Behind a dash: that is where a comment before the first key of an item is written.
  else if (isOpen && next !== undefined) next.before.push(text)
  else append(value ?? head, text)
}

function append(node: Node, text: string): void {
  node.comment = node.comment == null ? text : `${node.comment}\n${text}`
}

/** What stands at the top and is parted from the first member by an empty line is about all of it. */
function placeHead(
  document: Document,
  head: readonly string[],
  first: Entry | undefined,
  text: string,
): void {
  if (first === undefined) return
  const cut = hasEmptyLineBefore(text, first.start) ? head.length : head.lastIndexOf('') + 1
  const top = head.slice(0, cut)
  if (top.at(-1) === '') top.pop()
  if (top.length > 0) document.commentBefore = top.join('\n')
  first.before.unshift(...head.slice(cut))
}

function settle({ start, head, before, block }: Entry, text: string): void {
  const isEmptyAbove = hasEmptyLineBefore(text, start)
  const isParted = before[0] === ''
  const lines = isParted ? before.slice(1) : before
  if (lines.length > 0) head.commentBefore = `${lines.join('\n')}${isEmptyAbove ? '\n' : ''}`
  const isFirst = isNode(block.items[0]) && block.items[0] === head
  head.spaceBefore = !isFirst && (lines.length > 0 ? isParted : isEmptyAbove)
}

function isBlock(node: unknown): node is Block {
  return isCollection(node) && node.flow !== true
}

function entriesOf(block: Block, parent: Entry | null, text: string): readonly Entry[] {
  const dashes = dashesOf(block)
  return block.items.flatMap((item, at): readonly Entry[] => {
    const head = isPair(item) ? item.key : item
    const value = isPair(item) ? item.value : item
    if (!isNode(head)) return []
    const start = dashes[at] ?? head.range?.[0] ?? 0
    const entry: Entry = {
      start,
      column: start - (text.lastIndexOf('\n', start - 1) + 1),
      block,
      parent,
      head,
      value: isNode(value) ? value : null,
      before: [],
    }
    return isBlock(value) ? [entry, ...entriesOf(value, entry, text)] : [entry]
  })
}

/** Where the dashes of a list stand; of a map there are none. */
function dashesOf({ srcToken }: Block): readonly (number | undefined)[] {
  if (srcToken?.type !== 'block-seq') return []
  return srcToken.items.map(
    ({ start }) => start.find(({ type }) => type === 'seq-item-ind')?.offset,
  )
}

/** What all comments of a text say, in any order: to see that a form of it lost none. */
export function commentTexts(text: string): readonly string[] {
  return commentsOf(text)
    .map((comment) => comment.text)
    .toSorted()
}

function commentsOf(text: string): readonly Comment[] {
  const comments: Comment[] = []
  let start = 0
  let isScalar = false
  for (const token of new Lexer().lex(text)) {
    if (!isScalar && CST_MARKS.has(token)) {
      isScalar = token === CST.SCALAR
      continue
    }
    if (!isScalar && token.startsWith('#')) comments.push(commentAt(text, start, token))
    isScalar = false
    start += token.length
  }
  return comments
}

/** Put into the stream of tokens, and not in the text. */
const CST_MARKS: ReadonlySet<string> = new Set([CST.DOCUMENT, CST.FLOW_END, CST.SCALAR])

function commentAt(text: string, start: number, token: string): Comment {
  const lineStart = text.lastIndexOf('\n', start - 1) + 1
  return {
    start,
    end: start + token.length,
    column: start - lineStart,
    isAlone: text.slice(lineStart, start).trim() === '',
    isBehindEmptyLine: hasEmptyLineBefore(text, start),
    text: textOf(token),
  }
}

function hasEmptyLineBefore(text: string, offset: number): boolean {
  return /\n[^\S\n]*\n[^\S\n]*$/.test(text.slice(Math.max(0, offset - MAX_INDENT), offset))
}

/** Of the two lines before it: policies are not nested deeper. */
const MAX_INDENT = 512

/** Those that the library places well enough. */
function withoutBracketed(document: Document, comments: readonly Comment[]): readonly Comment[] {
  const brackets: Range[] = []
  visit(document, {
    Collection(_, { flow, range }) {
      if (flow !== true || range == null) return undefined
      brackets.push(range)
      return visit.SKIP
    },
  })
  let at = 0
  return comments.filter(({ start }) => {
    while ((brackets[at]?.[1] ?? start) < start) at += 1
    const [opens] = brackets[at] ?? [start]
    return start <= opens
  })
}

/** Takes away what the library made of comments and empty lines, but within brackets. */
function forget(document: Document): void {
  document.commentBefore = null
  document.comment = null
  visit(document, {
    Node(_, node) {
      node.commentBefore = null
      node.spaceBefore = false
      if (isCollection(node) && node.flow === true) {
        keepWithin(node)
        return visit.SKIP
      }
      node.comment = null
      return undefined
    },
  })
}

/**
 * Has what stands before the closing bracket stay there, at the last member. The library has it in one with what stands
 * behind the bracket.
 */
function keepWithin(node: YAMLMap | YAMLSeq): void {
  const { comment, srcToken } = node
  node.comment = null
  if (comment == null || srcToken?.type !== 'flow-collection') return
  const behind = srcToken.end.filter(({ type }) => type === 'comment').length
  const lines = comment.split('\n').filter((line) => line !== '')
  const within = lines.slice(0, lines.length - behind).map((line) => line.trimEnd() || ' ')
  if (within.length === 0) return
  const last = node.items.at(-1)
  const member = isPair(last) ? (last.value ?? last.key) : last
  append(isNode(member) ? member : node, within.join('\n'))
}

/** The library writes an empty text as an empty line, and one space as a bare sign. */
function textOf(token: string): string {
  return token.slice(1).trimEnd() || ' '
}
