export { changeLane } from '../audit/index.ts'
