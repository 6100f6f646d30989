import type { DoorParts, DoorService } from './door-parts.ts'

/** The door with all its libraries is loaded when it is started: most daemons have none. */
export function lazyDoor(parts: DoorParts): DoorService {
  let door: DoorService | undefined
  return {
    name: 'http',
    async start() {
      const { buildDoor } = await import('./door.ts')
      door ??= await buildDoor(parts)
      await door.start()
    },
    stop: async () => door?.stop(),
    renew: () => door?.renew(),
  }
}
