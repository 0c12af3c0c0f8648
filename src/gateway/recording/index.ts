// Recorded calls. A door of its own: whoever judges calls loads none of it until one is recorded.

export { recordingWriter } from './recording-writer.ts'
export { Recordings } from './recordings.ts'
export { createReplays } from './replays.ts'
