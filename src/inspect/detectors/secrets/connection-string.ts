import { type Detector, type Hit, matchesOf } from '../../detector.ts'
import type { Match } from '../../search.ts'
import { distinctUnits, entropyOf } from './entropy.ts'
import { isPlaceholder } from './placeholder.ts'
import { sampleOf } from './token-shape.ts'

const WRITTEN_FOR = /^(?:my|your)?_?(?:pass(?:word|wd)?|pwd|secret|p@ssw0rd)?\d{0,4}$/i

/** A key beside a name that nothing else has. */
const NAMED_KEY = /(?:AccountKey|SharedAccessKey)=([A-Za-z\d+/]{30,100}={0,2})/gi
/** A key whose name says little: what the fields before it say decides. */
const SECRET = /;Secret=([A-Za-z\d+/]{30,100}={0,2})/gi
const SIGNATURE = /(?<=[?&])sig=([A-Za-z\d%+/]{40,70})/gi
const PASSWORD = /;\s{0,2}(?:password|pwd)\s?=\s?([^\s;"'<>${}]{4,120})/gi

const ID_OF_KEY = /^[\w+/-]{4,40}:[\w+/]{8,40}$/
const ID = /^Id=[^;\s]{4,60}$/i
const ENDPOINT = /^https?:\/\/[^;\s]{4,120}$/i
const OTHER_FIELD = /^\s{0,2}[\w -]{2,30}=[^;\n"']{0,120}$/
const MAX_OTHER_FIELDS = 6
const MAX_FIELD = 160
const NAMES_OF_SERVER = [
  'server',
  'data source',
  'host',
  'hostname',
  'driver',
  'user id',
  'uid',
  'username',
]

/** The field that ends with the semicolon at `end`, and no more of it than a field has. */
function fieldBefore(text: string, end: number): string {
  const field = text.slice(Math.max(0, end - MAX_FIELD), end)
  return field.slice(field.lastIndexOf(';') + 1)
}

/** `Server=db`, with anything before the name: the first field stands in a line of code. */
function namesServer(field: string): boolean {
  for (let at = field.indexOf('='); at >= 0; at = field.indexOf('=', at + 1)) {
    const value = field.length - at - 1
    if (value < 1 || value > 120 || /[\n"']/.test(field.slice(at + 1))) continue
    const name = field
      .slice(Math.max(0, at - 20), at)
      .replace(/\s$/, '')
      .toLowerCase()
    if (NAMES_OF_SERVER.some((one) => name.endsWith(one))) return true
  }
  return false
}

/** One of the fields that end with the semicolon at `end` says which server the password is for. */
function isOfServer(text: string, end: number): boolean {
  let last = end
  for (let others = 0; others <= MAX_OTHER_FIELDS; others++) {
    const field = fieldBefore(text, last)
    if (namesServer(field)) return true
    const start = last - field.length
    if (!OTHER_FIELD.test(field) || text[start - 1] !== ';') return false
    last = start - 1
  }
  return false
}

/** What is assigned to a name in a field, with anything before the name. */
function assignedIn(field: string, name: string): string {
  const at = field.toLowerCase().lastIndexOf(`${name}=`)
  return at === -1 ? '' : field.slice(at + name.length + 1)
}

/** The fields before the semicolon at `end` are those of a configuration store. */
function isOfStore(text: string, end: number): boolean {
  const id = fieldBefore(text, end)
  if (ID_OF_KEY.test(assignedIn(id, 'id'))) return true
  const start = end - id.length
  if (!ID.test(id) || text[start - 1] !== ';') return false
  return ENDPOINT.test(assignedIn(fieldBefore(text, start - 1), 'endpoint'))
}

function keyAt(match: Match, start: number): Partial<Hit> | null {
  const value = match[1] ?? ''
  const end = start + match[0].length
  const at = { start: end - value.length, end }
  if (isPlaceholder(value)) return null
  return distinctUnits(value) < 12 || entropyOf(value) < 3.5 ? { ...at, confidence: 0.4 } : at
}

const finds: readonly Detector['find'][] = [
  matchesOf(NAMED_KEY, keyAt),
  matchesOf(SIGNATURE, keyAt),
  matchesOf(SECRET, (match, start, text) => (isOfStore(text, start) ? keyAt(match, start) : null)),
  matchesOf(PASSWORD, (match, start, text) => {
    const value = match[1] ?? ''
    if (isPlaceholder(value) || !isOfServer(text, start)) return null
    const end = start + match[0].length
    return { start: end - value.length, end, confidence: WRITTEN_FOR.test(value) ? 0.5 : 0.65 }
  }),
]

export const connectionString: Detector = {
  id: 'connection-string',
  category: 'secret',
  severity: 'critical',
  confidence: 0.8,
  summary: 'Connection string of a store or a queue with its key or password.',
  needs: ['accountkey', 'sharedaccesskey', 'secret=', 'password=', 'pwd=', 'sig='],
  reach: { before: 260, after: 260 },
  source:
    'Azure storage, Service Bus and App Configuration connection strings; ADO.NET and ODBC keywords.',
  find: (text, from, to, scene) => finds.flatMap((find) => find(text, from, to, scene)),
  catches: [
    `DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=${sampleOf('{b86}')}==;EndpointSuffix=core.windows.net`,
    `Server=db;Database=main;User Id=app;Password=${sampleOf('{A14}')};`,
    `Endpoint=sb://ns.example.net/;SharedAccessKeyName=send;SharedAccessKey=${sampleOf('{b43}')}=`,
  ],
  ignores: [
    'AccountName=<name>;AccountKey=<key>;',
    'Server=db;User Id=app;Password=${DB_PASSWORD};',
    'let accountKey = Buffer.from("accountKey", "base64")',
  ],
}

export const kubernetesSecret: Detector = {
  id: 'kubernetes-secret',
  category: 'secret',
  severity: 'high',
  confidence: 0.7,
  summary: 'Kubernetes Secret with values in it.',
  needs: ['kind: secret', 'kind: "secret"', "kind: 'secret'"],
  reach: { before: 600, after: 800 },
  source: 'Kubernetes API reference, Secret v1: values of `data` are base64.',
  find: matchesOf(
    /(?<=\n|^)[ \t]{0,4}data:[ \t]{0,4}\n(?:[ \t]{1,8}#[^\n]{0,200}\n){0,4}[ \t]{1,8}([\w.-]{1,80}):[ \t]{1,4}(?:[|>]-?\s{1,20})?["']?([A-Za-z\d+/]{8,4096}={0,3})["']?/g,
    (match, start) => {
      const value = match[2] ?? ''
      if (distinctUnits(value) < 6) return null
      const end = start + match[0].length
      return { start: end - value.length, end }
    },
  ),
  catches: [
    `apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\ndata:\n  password: ${btoa(sampleOf('{A20}'))}\n`,
  ],
  ignores: [
    'apiVersion: v1\nkind: Secret\ndata:\n  password: {{ .Values.password }}\n',
    'apiVersion: v1\nkind: ConfigMap\ndata:\n  colour: Ymx1ZWJsdWVibHVl\n',
  ],
}
