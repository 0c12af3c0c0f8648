import type { ScalarTag, Tags } from 'yaml'

/** Numbers stay as they were written: the library would write the nearest double. */
export function asWritten(tags: Tags): Tags {
  return tags.map((tag) => (typeof tag === 'object' && isNumber(tag) ? keeping(tag) : tag))
}

function isNumber(tag: Tags[number] & object): tag is ScalarTag {
  return tag.tag === 'tag:yaml.org,2002:int' || tag.tag === 'tag:yaml.org,2002:float'
}

function keeping(tag: ScalarTag): ScalarTag {
  return {
    ...tag,
    stringify: (item, ...more) =>
      item.source ?? tag.stringify?.(item, ...more) ?? String(item.value),
  }
}
