import { type Detector, matchesOf } from '../../detector.ts'
import { either, far, inOrder, LINE } from '../../search.ts'

const COMMAND = '|\n'
/** What turns an encoded argument into text, in shells and languages. */
const SHELL_DECODER = either(
  /base(?:64|32)\s{1,4}(?:-d|-D|--decode|-di)\b|xxd\s{1,4}(?:-r\s{1,4}-p|-p\s{1,4}-r|-ps?\s{1,4}-r|-r)\b|uudecode\b/gi,
  inOrder(/openssl\s{1,4}(?:enc\s{1,4})?-?base64\s/gi, far(40, COMMAND, /-d\b/gi)),
  inOrder(/certutil\s/gi, far(40, COMMAND, /-decode\b/gi)),
)

const DECODED = either(
  // … | base64 -d | sh
  inOrder(
    SHELL_DECODER,
    far(
      80,
      '|\n;',
      /\|\s{0,4}(?:(?:sudo|env|exec|command|nohup)\s{1,4}){0,3}(?:\/(?:usr\/)?(?:local\/)?bin\/)?(?:ba|da|z|k|a|c)?(?:sh|python[23]?|perl|ruby|node|php)\b(?![./\w-])/gi,
    ),
  ),
  // sh -c "$(… | base64 -d)", eval $(… base64 -d), sh <(… base64 -d)
  inOrder(
    /\b(?:eval|source|exec)\s|\b(?:ba|da|z|k|a)?sh\s{1,4}(?:-c\s|<)/gi,
    far(20, LINE, /\$\(|`|<\(/g),
    far(160, LINE, SHELL_DECODER),
  ),
  // eval(atob(…)), exec(base64.b64decode(…)), eval(base64_decode(…)), system(gzinflate(base64_decode(
  inOrder(
    /\b(?:eval|exec|system|assert|passthru|shell_exec|popen|Function|execSync|setTimeout|compile|loads|instance_eval)\s{0,4}\(\s{0,4}/gi,
    far(
      60,
      '\n;',
      either(
        /\batob\(|b64decode\(|base64_decode\(|Base64\.(?:decode|strict_decode|urlsafe_decode)64|gzinflate\(|str_rot13\(|unhexlify\(|fromhex\(|codecs\.decode\(/gi,
        inOrder(/Buffer\.from\(/gi, far(200, ')\n', /,\s{0,4}["'`](?:base64|hex)["'`]/gi)),
      ),
    ),
  ),
)

export const decodeAndRun: Detector = {
  id: 'decode-and-run',
  category: 'encoding_obfuscation',
  severity: 'high',
  confidence: 0.85,
  summary: 'what is decoded goes straight to an interpreter: `base64 -d | sh`, `eval(atob(…))`',
  needs: [
    'base64',
    'base32',
    'xxd',
    'uudecode',
    'certutil',
    'atob(',
    'unhexlify',
    'fromhex',
    'codecs.decode',
    'rot13(',
    'gzinflate(',
  ],
  reach: { before: 200, after: 300 },
  source: 'MITRE ATT&CK T1027 and T1140; OWASP CRS 932 and 934',
  find: matchesOf(DECODED),
  catches: [
    'echo aWQ= | base64 -d | sh',
    'base64 --decode <<< "$X" | sudo bash',
    'bash -c "$(echo aWQ= | base64 -d)"',
    'eval(atob("YWxlcnQoMSk="))',
    'exec(base64.b64decode("cHJpbnQoMSk="))',
    '<?php eval(gzinflate(base64_decode($x))); ?>',
    'xxd -r -p payload.hex | bash',
  ],
  ignores: [
    'kubectl get secret db -o jsonpath={.data.password} | base64 -d',
    'base64 -d image.b64 > image.png',
    'const bytes = atob(text)',
    'data = base64.b64decode(response.content)',
    'echo -n hello | base64 | tr -d "\\n"',
    'cat key | base64 -d | jq .',
    'base64 -d cfg | shasum',
  ],
}
