import { bundlesOf, type Span } from './bundle.ts'
import { DECODE_LIMITS, type FindEncoded, FOLD } from './decoder.ts'
import type { Detector, Hit, Scene } from './detector.ts'
import { ENCODED_PAYLOAD, INSPECTION_LIMIT } from './engine-findings.ts'
import { Expansions } from './expansions.ts'
import { type Category, type Finding, gravityOf, type Kind } from './finding.ts'
import { joinLeaves, partsOf } from './joined.ts'
import { mayBeJsonText, readJsonText, sourceOffsetOf } from './json-text.ts'
import { pathOf } from './place.ts'
import { plainCheck } from './plain.ts'
import { createScanner } from './scanner.ts'
import { COUNTS_FROM } from './verdict.ts'
import { type KindSources, type Leaf, walk } from './walk.ts'

/** What is known of a value: which kinds its leaves are. */
export interface InspectContext extends KindSources {
  /** Of the message that the value is a part of; without them the value is all of it. */
  readonly expansions?: Expansions
}

/** A finding and the leaf of the given value it is in; offsets are of that leaf's text. */
export interface Located {
  readonly finding: Finding
  readonly leaf: Leaf
}

export interface Engine {
  readonly detectors: readonly Detector[]
  /**
   * What stands in a value: a text, or anything JSON can carry. Findings of low confidence (hints) are included.
   * Never throws, whatever a string holds. Pure and synchronous.
   *
   * @returns worst first, about 1,000 at most; what is left out is no worse than what its detector has in it
   */
  inspect(value: unknown, context?: InspectContext): readonly Finding[]
  /** The same, with the leaf of each finding. */
  locate(value: unknown, context?: InspectContext): readonly Located[]
}

const MAX_FINDINGS = 1_000
const MAX_LAYERS_OF_JSON = 3
/** A value longer than this is told by itself, not by the name it stands under. */
const MAX_NAMED_VALUE = 4_096
/** What was found across a joint is shown but does not block: the fields may be read apart. */
const MAX_JOINED_CONFIDENCE = 0.75

/** What the name before a value says something about. */
const TOLD_BY_NAME: ReadonlySet<Category> = new Set(['secret', 'pii'])
const MAY_BE_SPLIT: ReadonlySet<Category> = new Set([
  'command_injection',
  'path_traversal',
  'social_engineering',
  'network_threat',
  'secret',
])
const PAYLOADS: ReadonlySet<Category> = new Set([
  'command_injection',
  'path_traversal',
  'social_engineering',
  'network_threat',
])

/** A short name of plain letters holds nothing. */
const HARMLESS_NAME = /^[\w-]{0,12}$/

const FROM_HIGH = gravityOf({ severity: 'high', confidence: 0 })

/** What is looked at behind the encodings of one text. */
interface Budget {
  /** How much decoded text may still come, UTF-16 units. */
  units: number
  /** Decoded texts that were looked at, and where in the leaf they begin; most texts have none. */
  seen: Map<string, number> | null
}

/** Shorter texts are looked at again sooner than they are found. */
const MIN_SEEN = 64

/** What nobody needs to hide behind an encoding. */
function isPayload(finding: Finding): boolean {
  const isMeant = PAYLOADS.has(finding.category) && finding.confidence >= COUNTS_FROM
  return isMeant && gravityOf(finding) >= FROM_HIGH
}

function worstFirst(a: Pick<Finding, 'severity' | 'confidence'>, b: typeof a): number {
  return gravityOf(b) - gravityOf(a)
}

/** The text that detectors look at, as a part of a leaf: `at` maps its units to those of the leaf. */
interface View {
  readonly leaf: Leaf
  readonly text: string
  readonly kind: Kind
  /** Nobody said the kind: the text may be JSON. */
  readonly isGuessed: boolean
  readonly path: () => string
  readonly isKey: boolean
  readonly name: string | null
  readonly at: (offset: number) => number
}

/** What is said of a value as a whole. */
const ROOT: View = {
  leaf: { text: '', place: null, kind: null, isGuessed: true, isKey: false, name: null },
  text: '',
  kind: 'text',
  isGuessed: true,
  path: () => '$',
  isKey: false,
  name: null,
  at: (offset) => offset,
}

/** A stretch of a leaf that is a part of what was found across a joint. */
interface JoinedPlace extends Pick<Finding, 'kind' | 'path' | 'start' | 'end'> {
  readonly leaf: Leaf
}

const NOTHING: readonly Located[] = []

const same = (offset: number): number => offset

/**
 * An engine over a set of detectors.
 *
 * @param findEncoded - what undoes encodings; without it nothing is decoded
 */
export function createEngine(
  detectors: readonly Detector[],
  findEncoded: FindEncoded = () => [],
): Engine {
  const ids = new Set(detectors.map((one) => one.id))
  if (ids.size !== detectors.length) throw new RangeError('two detectors have the same id')
  const scanner = createScanner(detectors)
  const toldByName = new Set(
    detectors.flatMap((one, index) => (TOLD_BY_NAME.has(one.category) ? [index] : [])),
  )

  const isPlain = plainCheck(detectors, scanner)

  function findingOf(view: View, detector: Detector, hit: Hit, via: readonly string[]): Finding {
    return {
      detector: detector.id,
      category: detector.category,
      severity: hit.severity ?? detector.severity,
      confidence: hit.confidence ?? detector.confidence,
      start: view.at(hit.start),
      end: view.at(hit.end),
      path: view.path(),
      kind: view.kind,
      isKey: view.isKey,
      via,
    }
  }

  function locate(value: unknown, context: InspectContext = {}): readonly Located[] {
    return isPlain?.(value, context) === true ? NOTHING : locatedIn(value, context)
  }

  /** Apart, because each look makes what it is put together of anew. */
  function locatedIn(value: unknown, context: InspectContext): readonly Located[] {
    const located: Located[] = []
    const worstOf = new Map<string, number>()
    const nearNames = new Map<string, ReadonlySet<number>>()
    const { leaves, isWhole } = walk(value, context)
    const expansions = context.expansions ?? new Expansions()

    function add(leaf: Leaf, finding: Finding): void {
      const gravity = gravityOf(finding)
      const worst = worstOf.get(finding.detector) ?? 0
      if (located.length >= MAX_FINDINGS && gravity <= worst) return
      const isKnown = located.some(
        (one) =>
          one.leaf === leaf &&
          one.finding.detector === finding.detector &&
          one.finding.start === finding.start &&
          one.finding.end === finding.end &&
          one.finding.path === finding.path &&
          one.finding.isKey === finding.isKey &&
          one.finding.via.length <= finding.via.length,
      )
      if (isKnown) return
      located.push({ leaf, finding })
      worstOf.set(finding.detector, Math.max(worst, gravity))
    }

    function addOwn(
      view: View,
      own: typeof ENCODED_PAYLOAD,
      span: Pick<Finding, 'start' | 'end' | 'via'> & Partial<Finding>,
    ): void {
      const { id, category, severity, confidence } = own
      const { path, kind, isKey, leaf } = view
      add(leaf, {
        detector: id,
        category,
        severity,
        confidence,
        path: path(),
        kind,
        isKey,
        ...span,
      })
    }

    /** Looks behind encodings. `spanOf` maps the units of `text` to the leaf's; a run inside a run keeps the outer span. */
    function decode(
      view: View,
      text: string,
      scene: Scene,
      spanOf: (start: number, end: number) => Span,
      visible: readonly Finding[],
      budget: Budget,
    ): void {
      for (const bundle of bundlesOf(findEncoded(text, scene, expansions))) {
        const { decoded } = bundle
        const [from, to] = spanOf(...bundle.spanOf(0, decoded.length))
        const inner = [...scene.via, bundle.encoding]
        if (bundle.isUnread) {
          addOwn(view, INSPECTION_LIMIT, { start: from, end: to, via: inner })
          continue
        }
        // Two encodings undone in either order give the same text.
        if (decoded.length >= MIN_SEEN) {
          budget.seen ??= new Map()
          if (budget.seen.get(decoded) === from) continue
          budget.seen.set(decoded, from)
        }
        budget.units -= decoded.length
        if (budget.units < 0) {
          addOwn(view, INSPECTION_LIMIT, { start: from, end: to, via: inner })
          return
        }
        const innerSpan = (start: number, end: number): Span => spanOf(...bundle.spanOf(start, end))
        const seen: Finding[] = []
        let payload: { readonly finding: Finding; readonly run: Span } | null = null
        const scanned = scanner.scan(decoded, { kind: view.kind, via: inner })
        for (const hit of scanned.hits) {
          const detector = detectors[hit.detector]
          const run = bundle.runOf(hit.start, hit.end)
          if (detector === undefined || run === null) continue
          const [start, end] = innerSpan(hit.start, hit.end)
          const finding = { ...findingOf({ ...view, at: same }, detector, hit, inner), start, end }
          const wasVisible = visible.some(
            (one) => one.detector === finding.detector && one.start < end && one.end > start,
          )
          if (wasVisible) continue
          seen.push(finding)
          add(view.leaf, finding)
          if (isPayload(finding) && (payload === null || worstFirst(finding, payload.finding) < 0))
            payload = { finding, run }
        }
        if (payload !== null && inner.some((one) => one !== FOLD)) {
          const { severity, confidence } = payload.finding
          const [start, end] = spanOf(...payload.run)
          addOwn(view, ENCODED_PAYLOAD, { start, end, via: inner, severity, confidence })
        }
        if (inner.length < DECODE_LIMITS.maxDepth) {
          const known = seen.length === 0 ? visible : [...visible, ...seen]
          decode(view, decoded, scanned.scene, innerSpan, known, budget)
        } else if (
          findEncoded(decoded, scanned.scene, expansions).some((run) => run.encoding !== FOLD)
        )
          addOwn(view, INSPECTION_LIMIT, { start: from, end: to, via: inner })
      }
    }

    function inspectView(view: View): void {
      const { text, kind } = view
      const visible: Finding[] = []
      const { hits, scene } = scanner.scan(text, { kind, via: [] })
      for (const hit of hits) {
        const detector = detectors[hit.detector]
        if (detector === undefined) continue
        const finding = findingOf(view, detector, hit, [])
        visible.push(finding)
        add(view.leaf, finding)
      }
      if (kind === 'secret') return
      inspectNamed(view)
      expansions.add(text.length)
      const budget: Budget = {
        seen: null,
        units: Math.max(DECODE_LIMITS.minUnits, DECODE_LIMITS.maxGrowth * text.length),
      }
      decode(view, text, scene, (start, end) => [view.at(start), view.at(end)], visible, budget)
    }

    /** `hunter2` is nothing; under the name `password` it is. */
    function inspectNamed(view: View): void {
      const { name, text } = view
      if (name === null || text === '' || text.length > MAX_NAMED_VALUE) return
      let near = nearNames.get(name)
      if (near === undefined) {
        near = new Set([...scanner.nearTo(name)].filter((index) => toldByName.has(index)))
        nearNames.set(name, near)
      }
      if (near.size === 0) return
      const before = `"${name}": "`
      const scene = { kind: view.kind, via: [] }
      for (const hit of scanner.scan(`${before}${text}"`, scene, near).hits) {
        const detector = detectors[hit.detector]
        const start = Math.max(0, hit.start - before.length)
        const end = Math.min(text.length, hit.end - before.length)
        if (detector !== undefined && start < end)
          add(view.leaf, findingOf(view, detector, { ...hit, start, end }, []))
      }
    }

    /** A text that is JSON is looked at leaf by leaf. */
    function inspectText(view: View, layers: number): void {
      const isOpen =
        view.kind === 'json' || (view.isGuessed && (view.kind === 'text' || view.kind === 'prose'))
      const inner =
        isOpen && layers < MAX_LAYERS_OF_JSON && mayBeJsonText(view.text)
          ? readJsonText(view.text)
          : null
      if (inner === null) {
        inspectView(view)
        return
      }
      for (const one of inner) {
        if (one.isKey && HARMLESS_NAME.test(one.text)) continue
        const { text } = view
        inspectText(
          {
            leaf: view.leaf,
            text: one.text,
            kind: one.kind ?? 'text',
            isGuessed: true,
            path: () => `${view.path()}${pathOf(one.place).slice(1)}`,
            isKey: one.isKey || view.isKey,
            name: one.name,
            at: (offset) => view.at(sourceOffsetOf(text, one, offset)),
          },
          layers + 1,
        )
      }
      inspectJoined(inner, (one, start, end) => ({
        leaf: view.leaf,
        kind: one.kind ?? 'text',
        path: `${view.path()}${pathOf(one.place).slice(1)}`,
        start: view.at(sourceOffsetOf(view.text, one, start)),
        end: view.at(sourceOffsetOf(view.text, one, end)),
      }))
    }

    /** What crosses the joint between two leaves. */
    function inspectJoined<L extends Leaf>(
      parts: readonly L[],
      placeOf: (leaf: L, start: number, end: number) => JoinedPlace,
    ): void {
      const joined = joinLeaves(parts)
      if (joined === null) return
      for (const hit of scanner.scan(joined.text, { kind: 'text', via: [] }).hits) {
        const detector = detectors[hit.detector]
        if (detector === undefined || !MAY_BE_SPLIT.has(detector.category)) continue
        const touched = partsOf(joined, hit.start, hit.end)
        if (touched.length < 2) continue
        const places = touched.map((part) => {
          const start = part.leafStart + Math.max(hit.start, part.start) - part.start
          const end = part.leafStart + Math.min(hit.end, part.end) - part.start
          return placeOf(part.leaf, start, end)
        })
        const wasVisible = places.some((place) =>
          located.some(
            (one) =>
              one.leaf === place.leaf &&
              one.finding.detector === detector.id &&
              one.finding.path === place.path,
          ),
        )
        if (wasVisible) continue
        for (const { leaf, ...place } of places)
          add(leaf, {
            detector: detector.id,
            category: detector.category,
            severity: hit.severity ?? detector.severity,
            confidence: Math.min(hit.confidence ?? detector.confidence, MAX_JOINED_CONFIDENCE),
            isKey: false,
            via: ['joined'],
            ...place,
          })
      }
    }

    for (const leaf of leaves) {
      if (leaf.isKey && HARMLESS_NAME.test(leaf.text)) continue
      inspectText(
        {
          leaf,
          text: leaf.text,
          kind: leaf.kind ?? 'text',
          isGuessed: leaf.isGuessed,
          path: () => pathOf(leaf.place),
          isKey: leaf.isKey,
          name: leaf.name,
          at: same,
        },
        0,
      )
    }
    inspectJoined(leaves, (leaf, start, end) => ({
      leaf,
      kind: leaf.kind ?? 'text',
      path: pathOf(leaf.place),
      start,
      end,
    }))
    if (!isWhole) addOwn(ROOT, INSPECTION_LIMIT, { start: 0, end: 0, via: [] })
    return located.toSorted((a, b) => worstFirst(a.finding, b.finding))
  }

  return {
    detectors,
    inspect: (value, context) => locate(value, context).map((one) => one.finding),
    locate,
  }
}
