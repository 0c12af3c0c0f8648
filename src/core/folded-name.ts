const ASCII = /^[!-~]*$/
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu

/**
 * What a careless reader may take a name for: without regard to case (`ſ` is s, the Kelvin sign is k) and to
 * compatibility forms, without characters that do not show, and ending where a C string ends. Equal results mean that
 * two readers may disagree on which name was meant, and no more.
 */
export function foldedName(name: string): string {
  if (ASCII.test(name)) return name.toLowerCase()
  const [first = ''] = name.toWellFormed().split('\0')
  return first
    .replaceAll(IGNORABLE, '')
    .normalize('NFKC')
    .toUpperCase()
    .toLowerCase()
    .replaceAll('ς', 'σ')
    .normalize('NFKC')
}
