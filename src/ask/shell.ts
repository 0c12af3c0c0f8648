import { randomBytes } from 'node:crypto'
import { html, raw } from 'hono/html'

const STYLE = `
:root{color-scheme:light dark;--paper:#f4f5f7;--card:#fff;--ink:#16181d;--soft:#565d6b;--line:#d5d9e0;--key:#1f4fd8;--on-key:#fff;--warn:#8a4b00;--warn-paper:#fff4e0;--bad:#a8101c;--bad-paper:#fdecec;--field:#fff}
@media (prefers-color-scheme:dark){:root{--paper:#0f1115;--card:#181b21;--ink:#eceef2;--soft:#a3abb9;--line:#343a46;--key:#8fb0ff;--on-key:#0c1330;--warn:#ffcf8a;--warn-paper:#33270f;--bad:#ffaaaa;--bad-paper:#3a1519;--field:#0f1115}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:36rem;margin:0 auto;padding:clamp(1.25rem,6vh,4.5rem) 1.25rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:clamp(1.25rem,4vw,2rem)}
.mark{display:flex;align-items:center;gap:.5rem;margin:0 0 1rem;color:var(--soft);font-size:.875rem;font-weight:600;letter-spacing:.02em}
.mark svg{width:1.15rem;height:1.15rem}
h1{margin:0 0 1.25rem;font-size:1.5rem;line-height:1.25;letter-spacing:-.015em}
h2{margin:0 0 .35rem;font-size:.875rem}
dl{display:grid;grid-template-columns:fit-content(45%) minmax(0,1fr);gap:.4rem 1.25rem;margin:0}
dt{color:var(--soft);overflow-wrap:anywhere}
dd{margin:0;overflow-wrap:anywhere}
.path{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-weight:600}
.effect{display:inline-block;margin:1rem 0 0;padding:.15rem .65rem;border:1px solid var(--line);border-radius:99px;font-size:.875rem;font-weight:600}
.effect.replaces{color:var(--warn);background:var(--warn-paper);border-color:transparent}
.agent{margin:1.25rem 0 0;padding:.85rem 1rem;border:1px dashed var(--line);border-radius:10px}
.agent blockquote{margin:.5rem 0 0;overflow-wrap:anywhere;overflow:hidden;white-space:pre-wrap;unicode-bidi:isolate}
.agent p{margin:.5rem 0 0;color:var(--soft);font-size:.8125rem}
form{margin:1.5rem 0 0}
label{display:block;margin:0 0 .35rem;font-weight:600}
input,select,textarea{width:100%;padding:.7rem .8rem;border:1px solid var(--soft);border-radius:9px;background:var(--field);color:var(--ink);font:inherit}
input[type=password],input.code,textarea{font:1rem ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.field{margin:1rem 0 0}
textarea{min-height:9rem;resize:vertical;-webkit-text-security:disc}
details{margin:.9rem 0 0}
summary{color:var(--soft);cursor:pointer;font-size:.875rem;border-radius:6px}
details label{margin-top:.75rem}
label.choice{display:flex;align-items:center;gap:.6rem;font-weight:400}
label.choice input{width:auto}
:focus-visible{outline:3px solid var(--key);outline-offset:2px}
.buttons{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.5rem}
button{padding:.65rem 1.4rem;border:1px solid var(--soft);border-radius:9px;background:transparent;color:var(--ink);font:inherit;font-weight:600;cursor:pointer}
button:disabled{opacity:.5;cursor:not-allowed}
button.store{border-color:var(--key);background:var(--key);color:var(--on-key)}
.problem{margin:1.25rem 0 0;padding:.7rem .9rem;border-radius:9px;background:var(--bad-paper);color:var(--bad);font-weight:600}
.note{margin:1.25rem 0 0;color:var(--soft);font-size:.8125rem}
p.say{margin:0}
button.small{padding:.3rem .8rem;font-size:.875rem}
a{color:var(--key)}
a.button{display:inline-block;padding:.65rem 1.4rem;border:1px solid var(--soft);border-radius:9px;color:var(--ink);font-weight:600;text-decoration:none}
.good{margin:1.25rem 0 0;padding:.7rem .9rem;border:1px solid var(--line);border-radius:9px}
.good code{display:block;margin:.5rem 0 0;overflow-wrap:anywhere;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;user-select:all}
section{margin:2rem 0 0;padding:1.5rem 0 0;border-top:1px solid var(--line)}
section.agent{margin:1.25rem 0 0;padding:.85rem 1rem;border:1px dashed var(--line)}
section:not(.agent) h2{font-size:1.0625rem}
h1+.say{margin:-.5rem 0 1.25rem}
ul.rows{margin:.75rem 0 0;padding:0;list-style:none}
ul.rows li{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem 1rem;padding:.6rem 0;border-top:1px solid var(--line)}
ul.rows li>div{flex:1 1 14rem;min-width:0;overflow-wrap:anywhere}
ul.rows small{display:block;color:var(--soft)}
ul.rows form{margin:0}
[hidden]{display:none!important}
`

const MARK = raw(
  '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round" aria-hidden="true"><path d="M4 21V9l8-6 8 6v12"/><path d="M9 21v-8h6v8"/></svg>',
)

/** A page of ours: title, body, and the nonce of its one style element. */
export async function pageShell(nonce: string, title: string, body: unknown): Promise<string> {
  const page = await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<style nonce="${nonce}">${raw(STYLE)}</style>
</head>
<body>
<main>
<p class="mark">${MARK}Sallyport</p>
<div class="card">
${body}
</div>
</main>
</body>
</html>
`
  return page.toString()
}

export function newNonce(): string {
  return randomBytes(16).toString('base64')
}

/** @param runs whether the page has a script of ours, under the same nonce as its style, that asks its own server */
export function pageResponse(
  status: number,
  nonce: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  runs = false,
): Response {
  const script = runs ? `; script-src 'nonce-${nonce}'; connect-src 'self'` : ''
  return new Response(body, {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; style-src 'nonce-${nonce}'${script}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
      'cache-control': 'no-store',
      // Not `no-referrer`: under it browsers send `Origin: null` with the form, and the origin could not be checked.
      'referrer-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      ...headers,
    },
  })
}
