import { type Detector, matchesOf } from '../../detector.ts'
import { either, far, inOrder, LINE, startingWith } from '../../search.ts'

const ENCODED = either(
  startingWith(
    /\b(?:powershell|pwsh)/gi,
    /\b(?:powershell|pwsh)(?:\.exe)?["']?(?:\s{1,4}-{1,2}[a-z]{1,20}(?:\s{1,4}(?!-)[\w.:\\/]{1,30})?){0,8}\s{1,4}[-/]{1,2}e(?:n|nc|nco|ncod|ncode|ncoded|ncodedc[a-z]{0,6})?\s{1,4}["']?[A-Za-z0-9+/]{12}/iy,
  ),
  inOrder(/\b(?:iex|invoke-expression)\b/gi, far(200, LINE, /frombase64string/gi)),
  inOrder(/frombase64string/gi, far(300, LINE, /\|\s{0,4}(?:iex|invoke-expression)\b/gi)),
)

export const encodedScript: Detector = {
  id: 'encoded-script',
  category: 'encoding_obfuscation',
  severity: 'high',
  confidence: 0.85,
  summary: 'PowerShell that is given its script encoded, or that decodes one and runs it',
  needs: ['powershell', 'pwsh', 'frombase64string', '-encodedcommand'],
  reach: { before: 300, after: 400 },
  source: 'PowerShell about_PowerShell_exe (-EncodedCommand); MITRE ATT&CK T1059.001, T1027.010',
  find: matchesOf(ENCODED),
  catches: [
    'powershell -nop -w hidden -enc ZABpAHIAIABjADoAXAA=',
    'powershell.exe -e  ZABpAHIAIABjADoAXAA=',
    'pwsh -NoProfile -EncodedCommand ZABpAHIAIABjADoAXAA=',
    'iex ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($p)))',
  ],
  ignores: [
    'powershell -ExecutionPolicy Bypass -File build.ps1',
    'pwsh -c "Get-ChildItem -Exclude node_modules"',
    '[Convert]::FromBase64String($text) | Set-Content out.bin',
    'powershell -Encoding utf8',
  ],
}
