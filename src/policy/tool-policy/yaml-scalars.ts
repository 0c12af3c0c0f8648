import type { ScalarTag, Tags } from 'yaml'

/** Written as an escape: some readers end a line there, terminals do what it says, or YAML has no such character. */
const UNSEEN = /(?!\n)[\p{Cc}\p{Zl}\p{Zp}\ufffe\uffff]/gu

/** Numbers stay as they were written: the library would write the nearest double. Nothing unseen is left in quotes. */
export function asWritten(tags: Tags): Tags {
  return tags.map((tag) => (isScalarTag(tag) ? (WRITERS[tag.tag]?.(tag) ?? tag) : tag))
}

const WRITERS: Readonly<Record<string, (tag: ScalarTag) => ScalarTag>> = {
  'tag:yaml.org,2002:int': keeping,
  'tag:yaml.org,2002:float': keeping,
  'tag:yaml.org,2002:str': escaping,
}

function isScalarTag(tag: Tags[number]): tag is ScalarTag {
  return typeof tag === 'object' && tag.collection === undefined
}

/** Whether a text is put in double quotes, the only ones with escapes. */
export function needsEscapes(text: string): boolean {
  return text.search(UNSEEN) !== -1
}

/** @param written - as YAML; line feeds in it are where it is folded */
export function withEscapes(written: string): string {
  return written.replace(UNSEEN, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function keeping(tag: ScalarTag): ScalarTag {
  return {
    ...tag,
    stringify: (item, ...more) =>
      item.source ?? tag.stringify?.(item, ...more) ?? String(item.value),
  }
}

function escaping(tag: ScalarTag): ScalarTag {
  return {
    ...tag,
    stringify(item, ...more) {
      const written = tag.stringify?.(item, ...more) ?? JSON.stringify(item.value)
      return written.startsWith('"') ? withEscapes(written) : written
    },
  }
}
