import { html, raw } from 'hono/html'
import { MAX_VALUE_BYTES } from '../core/vault-port.ts'
import { pageShell } from './shell.ts'
import type { ShownQuestion } from './shown-text.ts'

/** The page with the form. Works without scripts; holds no value, also when it is shown again. */
export function formPage(
  nonce: string,
  shown: ShownQuestion,
  form: { readonly csrf: string; readonly problem: string | null },
): Promise<string> {
  const facts = shown.facts.map(
    ([name, fact]) => html`<dt>${name}</dt>
<dd${raw(name === 'Path' ? ' class="path"' : '')}>${fact}</dd>
`,
  )
  const agent =
    shown.agentText === null
      ? ''
      : html`<section class="agent">
<h2>The agent wrote</h2>
<blockquote>“${shown.agentText}”</blockquote>
<p>These are the agent’s words, not Sallyport’s. Trust the path above.</p>
</section>
`
  const problem =
    form.problem === null ? '' : html`<p class="problem" role="alert">${form.problem}</p>`
  return pageShell(
    nonce,
    shown.title,
    html`<h1>${shown.title}</h1>
<dl>
${facts}</dl>
<p class="effect${shown.isReplacing ? ' replaces' : ''}">${shown.effect}</p>
${agent}${problem}
<form method="post" autocomplete="off">
<input type="hidden" name="csrf" value="${form.csrf}">
<label for="value">Value</label>
<input type="password" id="value" name="value" autocomplete="off" spellcheck="false" autofocus>
<details>
<summary>The value has several lines</summary>
<label for="lines">Value with several lines, for example a private key</label>
<textarea id="lines" name="lines" autocomplete="off" spellcheck="false" wrap="off"></textarea>
</details>
<div class="buttons">
<button class="store" name="do" value="store">Store</button>
<button name="do" value="cancel">Cancel</button>
</div>
<p class="note">The value goes to your vault on this machine. The agent is told that it was stored, not what it is. At most ${MAX_VALUE_BYTES.toLocaleString('en')} bytes.</p>
</form>`,
  )
}

/** A page that only says something. */
export function notePage(nonce: string, title: string, text: string): Promise<string> {
  return pageShell(nonce, title, html`<h1>${title}</h1><p class="say">${text}</p>`)
}
