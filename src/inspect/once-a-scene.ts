import type { Scene } from './detector.ts'

/**
 * What several detectors ask of one text is found out once. Kept with the scene, which is given up when its text was
 * looked at, so that no text is held longer than that.
 *
 * @param read - linear, of the text between `from` and `to`
 */
export function onceAScene<T>(
  read: (text: string, from: number, to: number, scene: Scene) => T,
): (text: string, from: number, to: number, scene: Scene) => T {
  const known = new WeakMap<Scene, { text: string; from: number; to: number; found: T }>()
  return (text, from, to, scene) => {
    const last = known.get(scene)
    if (last !== undefined && last.text === text && last.from === from && last.to === to)
      return last.found
    const found = read(text, from, to, scene)
    known.set(scene, { text, from, to, found })
    return found
  }
}
