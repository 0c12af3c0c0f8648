import { html, raw } from 'hono/html'
import { newNonce, pageResponse, pageShell } from '../ask/index.ts'

/**
 * Runs in the browser. The secret part of the link stands behind the #, which no browser sends anywhere; it leaves the
 * address bar at once and goes to the server when the person presses the button, and not before.
 */
const SHARE_SCRIPT = `
'use strict'
const link = location.hash.slice(1)
history.replaceState(null, '', location.pathname)
const find = (id) => document.getElementById(id)
const say = (text) => {
  find('problem').textContent = text
  find('problem').hidden = text === ''
}
if (link === '') {
  say('This address is not whole: what stands behind its # is missing.')
  find('show').disabled = true
}
find('share').addEventListener('submit', async (event) => {
  event.preventDefault()
  say('')
  find('show').disabled = true
  try {
    const typed = find('passphrase').value
    const response = await fetch('/v1' + location.pathname + '/open', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ secret: link, ...(typed === '' ? {} : { passphrase: typed }) }),
    })
    const answer = await response.json()
    if (!response.ok) {
      if (answer.field === 'passphrase') {
        find('ask').hidden = false
        find('passphrase').focus()
      }
      say(answer.detail)
      find('show').disabled = answer.field !== 'passphrase' && response.status !== 429
      return
    }
    find('path').textContent = answer.path
    find('value').textContent = answer.value
    // Other pages hide what is typed into such a field; here it was asked for.
    find('value').style.webkitTextSecurity = 'none'
    find('encoding').hidden = answer.encoding !== 'base64'
    find('shown').hidden = false
    find('share').hidden = true
  } catch {
    say('The server did not answer. Nothing was shown.')
    find('show').disabled = false
  }
})
addEventListener('pagehide', () => {
  find('value').textContent = ''
})
`

/** The page of a link. It knows nothing of the share, so that looking at it tells and spends nothing. */
export async function sharePage(): Promise<Response> {
  const nonce = newNonce()
  const text = await pageShell(
    nonce,
    'A secret is shared with you',
    html`<h1>A secret is shared with you</h1>
<form id="share" method="post" autocomplete="off">
<p class="note">It may be one that can be shown only a few times. Show it when you are ready to keep it.</p>
<p id="problem" class="problem" role="alert" hidden></p>
<div id="ask" hidden>
<label for="passphrase">Passphrase</label>
<input type="password" id="passphrase" autocomplete="off" spellcheck="false">
</div>
<div class="buttons"><button id="show" class="store">Show the secret</button></div>
<noscript><p class="problem">This page needs scripts: the address holds what a form cannot send.</p></noscript>
</form>
<section id="shown" hidden>
<dl><dt>Path</dt><dd class="path" id="path"></dd></dl>
<label for="value">Value</label>
<textarea id="value" readonly spellcheck="false" wrap="off" rows="6"></textarea>
<p class="note" id="encoding" hidden>It is no text and is shown as base64.</p>
<p class="note">It is gone from this page when you leave it.</p>
</section>
<script nonce="${nonce}">${raw(SHARE_SCRIPT)}</script>`,
  )
  return pageResponse(200, nonce, text, {}, true)
}
