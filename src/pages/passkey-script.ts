/**
 * Runs in the browser, on pages with buttons that have `data-passkey`. It asks our server for a question, has the
 * authenticator answer it, and goes where the server says.
 */
export const PASSKEY_SCRIPT = `
'use strict'
for (const button of document.querySelectorAll('button[data-passkey]')) {
  if (!window.PublicKeyCredential || !PublicKeyCredential.parseRequestOptionsFromJSON) {
    button.disabled = true
    button.title = 'This browser is too old for passkeys.'
    continue
  }
  button.addEventListener('click', async () => {
    const problem = document.querySelector('#passkey-problem')
    problem.hidden = true
    button.disabled = true
    try {
      const form = button.form ? Object.fromEntries(new FormData(button.form)) : {}
      delete form.password
      const about = { ...form, ...button.dataset }
      const { handle, options } = await ask('/passkeys/question', about)
      const isNew = about.passkey === 'register' || about.passkey === 'accept'
      const credential = isNew
        ? await navigator.credentials.create({
            publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
          })
        : await navigator.credentials.get({
            publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
          })
      const { next } = await ask('/passkeys/answer', { ...about, handle, response: credential.toJSON() })
      location.assign(next)
    } catch (error) {
      problem.textContent =
        error.name === 'NotAllowedError' ? 'No passkey was used.' : error.message
      problem.hidden = false
      button.disabled = false
    }
  })
}
async function ask(path, body) {
  const answer = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const said = await answer.json()
  if (!answer.ok) throw new Error(said.detail)
  return said
}
`
