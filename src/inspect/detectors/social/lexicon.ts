/**
 * Words by the part they play in an instruction to an agent, in the languages that are written with Latin letters.
 * A word that ends in `*` stands for all that begin with it. Languages: English, German, French, Spanish, Portuguese,
 * Italian, Turkish, Dutch, Polish, Indonesian.
 */
const PARTS = {
  /** Setting an instruction aside. */
  override: `ignore ignores ignoring ignored ignor ignoriere* ignorier* ignorez ignorer ignora ignoren ignorad ignorar
    ignori ignorate ignorare ignoruj* zignoruj* ignorera ignorem disregard* forget forgets forgetting overlook* neglect
    dismiss discard override overrid* bypass* circumvent* disobey vergiss vergesst vergessen missacht* oublie oubliez
    oublier olvida olvide olviden olvidar olvidad descarta descarte desestima esqueca esqueça esquece esquecer
    desconsidere desconsidera desconsiderar dimentica dimenticate dimenticare yoksay* unut unutun yok negeer* vergeet
    zapomnij zapomnijcie pomiń abaikan lupakan abandon violate omita omite nullify erase scrap cancel revoke void
    supersede supersedes delete reset wipe`,
  /** What an agent was told to do, and hardly anything else. */
  instruction: `instruction* instruct* insructi* instuct* intructi* intsructi* instrucion* instrction* iunstruct* instruktion* directive* prompt prompts guideline*
    guardrail* programming anweisung* instruktion* richtlinie* vorgabe* instrucción instruccion* indicaciones directriz
    directrices directiva* instruçoes instruções instrucoes instrução diretriz diretrizes istruzion* direttiv* consigne*
    talimat* yönerge* yonerge* instructies instructie instrukcj* polece* wytyczn* instruksi* perintah* arahan`,
  /** May be what an agent was told to do. */
  rule: `rule rules command commands order orders constraint* restriction* polic* limitation* safeguard* protocol*
    filter filters safety ethic* regel regeln befehl* règle* regle* commande* reglas órdenes ordenes comandos regras
    ordens regole comandi ordini kurallar* kuralları* komut* regels opdracht* zasady aturan context conversation* task
    tasks message messages request* question* text`,
  /** What came before. */
  prior: `previous* prev previus prevous preivous prior earlier preceding existing initial original foregoing past former aforementioned above before
    vorherig* vorig* bisherig* obig* früher* frueher* vorangegangen* oben zuvor précédent* precedent* antérieur*
    anterieur* anterior* previa* previo* prévia* prévio* preceden* önceki* onceki* yukarıdaki* eerdere voorgaande
    poprzedni* wcześniej* wczesniej* powyższ* sebelumnya`,
  all: `all any every everything everthing anything whatever each alle alles sämtliche* jegliche* tout toute tous toutes
    todo todos toda todas tudo tutto tutti tutte tüm tum bütün her wszystk* semua segala`,
  yours: `your you youve you've dein deine deinen deiner ihre ihren ihr votre vos tes ton tus sus tu su suas seus sua seu
    tue tuoi tuo vostre twoje twoich jouw uw`,
  /** How one speaks of what an agent was told. */
  told: `told instructed said learned learnt taught given asked gesagt gelernt beigebracht dit appris dicho aprendido
    dito aprendido detto imparato`,
  /** Telling a person. */
  inform: `tell telling mention mentioning inform informing notify notifying reveal revealing disclose disclosing alert
    alerting warn warning acknowledge report reporting explain explaining let letting show showing indicate say saying
    erwähne* informiere* sage verrate mentionne* informe* dis menciones digas mencione diga menzionare dire söyleme`,
  person: `user users human humans anyone anybody owner operator customer customers person people them nobody client
    everyone developer him her benutzer* nutzer* utilisateur* usuario* utente utenti kullanıcı*`,
  not: `not no don't dont never without avoid nicht niemals ohne ne pas jamais sans nunca sin não nao sem non mai senza`,
} as const

export type Part = keyof typeof PARTS

const names = Object.keys(PARTS) as Part[]

/** Bits of `Word.parts`. */
export const PART = Object.fromEntries(names.map((name, at) => [name, 1 << at])) as Record<
  Part,
  number
>

const STEM_UNITS = 3
const exact = new Map<string, number>()
const stems = new Map<string, { readonly stem: string; readonly bit: number }[]>()

for (const name of names)
  for (const entry of PARTS[name].split(/\s+/)) {
    if (entry.endsWith('*')) {
      const stem = entry.slice(0, -1)
      const head = stem.slice(0, STEM_UNITS)
      const under = stems.get(head) ?? []
      under.push({ stem, bit: PART[name] })
      stems.set(head, under)
    } else exact.set(entry, (exact.get(entry) ?? 0) | PART[name])
  }

/** The parts a lower-case word can play, as bits of `PART`; 0 for most words. */
export function partsOf(word: string): number {
  let parts = exact.get(word) ?? 0
  for (const { stem, bit } of stems.get(word.slice(0, STEM_UNITS)) ?? [])
    if (word.startsWith(stem)) parts |= bit
  return parts
}
