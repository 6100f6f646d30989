/** Every feature, one line each. What the daemon and the commands do with them is in index.ts. */
export { channel } from './channel/index.ts'
export { notify } from './notify/index.ts'
export { relay } from './relay/index.ts'
export { tableQueue } from './table-queue/index.ts'
