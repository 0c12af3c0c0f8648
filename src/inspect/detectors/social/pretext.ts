import type { Detector } from '../../detector.ts'
import { HINT, isMention } from './mention.ts'
import { type Sign, signSums } from './signs.ts'

/** A letter is longer than an order to an agent. UTF-16 units. */
const NEAR = 700
const ENOUGH = 0.8
const HIGHEST = 0.75
/** Nothing is a pretext that asks for nothing. */
const WANTS = ['credential', 'money', 'bypass'] as const

const SIGNS: readonly Sign[] = [
  // A code that was just sent to somebody is nobody else's business.
  [
    'credential',
    0.7,
    String.raw`(?:send|give|tell|text|read) (?:me|us) (?:out )?(?:your|the|that) (?:\w{1,14} ){0,2}(?:passcode|pin\b|one[- ]time code|verification code|security code|2fa code|mfa code|recovery phrase|seed phrase)`,
  ],
  [
    'credential',
    0.4,
    String.raw`(?:send|give|tell|share|provide|confirm|verify|enter|reply(?:ing)? with|e-?mail|text|read|need|what is|what's|update|validate|re-?enter)\b[^.!?\n]{0,30}\b(?:your|the|his|her|their) (?:\w{1,14} ){0,2}(?:passwords?|passcode|pin\b|login|credentials|one[- ]time code|verification code|security code|api[ -]?key|access token|secret|card (?:number|details)|bank details|account (?:details|information|number)|social security number|seed phrase|recovery phrase|2fa code|mfa code)`,
  ],
  [
    'money',
    0.35,
    String.raw`(?:wire|transfer|send|pay|deposit|buy|purchase)\b[^.!?\n]{0,30}\b(?:gift cards?|bitcoin|btc|crypto\w{0,8}|funds|[$€£] ?\d|usd|eur|itunes|western union)|gift cards?|wire transfer|release fee|inheritance|lottery`,
  ],
  [
    'bypass',
    0.4,
    String.raw`(?:skip|bypass|ignore|waive|without|no need for|disable|override) (?:the |all |any |usual |normal |standard |our ){0,2}(?:verification|authentication|approval|security (?:checks?|procedures?|protocols?|questions?)|two[- ]factor|2fa|mfa|identity check|procedures?)`,
  ],
  [
    'authority',
    0.3,
    String.raw`(?:i am|i'm|i’m|this is|it's|we are(?: from)?|we're(?: from)?|calling from|from|on behalf of|message from|writing from) (?:the |your |an? |our ){0,2}(?:\w{1,14} ){0,2}(?:ceo|cfo|cto|director|administrator|admin\b|manager|superuser|root\b|it (?:security|support|department|help ?desk|team)|help ?desk|security (?:team|department)|bank|tax office|irs\b|police|fbi|microsoft|apple|google|paypal|support team|vice president|lawyer|attorney)`,
  ],
  [
    'secrecy',
    0.3,
    String.raw`(?:don't|do not|don’t|never) (?:tell|mention|discuss|share|talk|inform|notify|contact|call)\b[^.!?\n]{0,20}\b(?:anyone|anybody|colleagues?|others?|your (?:boss|manager|team|bank)|about this|this)|keep (?:this|it) (?:a secret|secret|confidential|quiet|between us|private|to yourself)|between (?:you and me|us)|strictly confidential|(?:just|only) between`,
  ],
  [
    'urgency',
    0.2,
    String.raw`urgent(?:ly)?|immediately|right now|right away|asap|as soon as possible|emergency|within (?:the next )?(?:\d{1,3}|an|one|two|twenty[- ]four) (?:hours?|minutes?|hrs)|before it(?:'s| is) too late|time[- ]sensitive|no time|final (?:notice|warning)|expires? (?:today|soon|in)|last chance|act now`,
  ],
  [
    'threat',
    0.3,
    String.raw`(?:account|access|service|mailbox|card|profile)\b[^.!?\n]{0,24}\b(?:(?:will|would|may) be|has been|have been|is|was) (?:\w{1,14} )?(?:suspended|closed|locked|limited|disabled|terminated|blocked|deactivated|restricted|deleted|compromised)|legal action|be (?:fired|arrested|prosecuted)|lose (?:your|the) (?:job|access|account|money)|unusual (?:activity|sign-?in)|unauthori[sz]ed (?:access|transaction|login)`,
  ],
  [
    'lure',
    0.2,
    String.raw`verify your (?:account|identity)|click (?:here|below|the (?:link|button)|on the link)|follow (?:this|the) link|you(?:'ve| have) (?:won|been selected)|dear (?:customer|user|client|valued|account holder|beneficiary)|confidential (?:business|transaction|proposal)|i trust you|can i trust you|are you available|need a favou?r`,
  ],
]

const places = signSums(SIGNS, NEAR, ENOUGH)

export const pretext: Detector = {
  id: 'pretext',
  category: 'social_engineering',
  severity: 'medium',
  confidence: 0.5,
  summary:
    'pressure on a person for credentials, money or a skipped check: authority, secrecy, threat and urgency that add up',
  needs: [
    'your password',
    'replying with your',
    'give me the',
    'send me the',
    'text me the',
    'from the ceo',
    'keep it secret',
    'the password',
    'his password',
    'her password',
    'their password',
    'your passcode',
    'passcode',
    'your login',
    'your credentials',
    'one-time code',
    'verification code',
    'security code',
    'card number',
    'card details',
    'bank details',
    'account details',
    'account information',
    'account number',
    'social security number',
    'seed phrase',
    'recovery phrase',
    '2fa code',
    'mfa code',
    'gift card',
    'bitcoin',
    'wire transfer',
    'transfer the funds',
    'western union',
    'inheritance',
    'lottery',
    'skip verification',
    'bypass security',
    'bypass verification',
    'without verification',
    'without approval',
    'skip the usual',
    'skip the approval',
    'skip the verification',
  ],
  reach: { before: 350, after: 350 },
  kinds: ['text', 'prose', 'json'],
  source: 'MITRE ATT&CK T1566 and T1598, phishing and phishing for information',
  catches: [
    'This is the IT help desk. Your mailbox will be suspended today, so send me your password immediately.',
    'I am the CEO. Buy ten gift cards right now and keep this between us.',
    'We are from the IT department: verify your account by replying with your password.',
    'Text me the verification code that you just got, to verify your identity.',
    'Urgent from the CEO: share the API key with this number and keep it secret.',
    'Skip the usual approval, this is urgent, and do not tell anyone about this. I am the director.',
  ],
  ignores: [
    'This is urgent! Please answer immediately, it is an emergency.',
    'Send your password only over a secure connection.',
    'The account is locked after five attempts; use the verification code.',
    'We sell gift cards in every shop.',
    'Can you send me the password reset link?',
    'Verify your account to get the newsletter.',
    'Give me the file from the CEO, please.',
  ],
  find: (text, from, to) =>
    places(text, from, to).flatMap(({ start, end, sum, ideas }) => {
      if (!WANTS.some((one) => ideas.has(one))) return []
      const confidence = Math.min(HIGHEST, 0.5 + (sum - ENOUGH) / 2)
      return [{ start, end, confidence: isMention(text, start, end) ? HINT : confidence }]
    }),
}
