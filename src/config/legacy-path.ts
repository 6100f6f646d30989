import { refuseOldPath } from '../model/old-path.ts'
import { field, no, type Read, yes } from './fields.ts'

const readLegacyPaths: Read<readonly string[]> = text => {
  const paths = [...new Set(text.split(/[\s,]+/).filter(one => one !== ''))]
  const reason = paths.map(refuseOldPath).find(one => one !== undefined)
  return reason === undefined ? yes(paths) : no(reason, 'write for instance /save_data_to_orders')
}

/** `legacy_path =`: where clients of another scheduler ask for it. */
export const legacyPath = field(readLegacyPaths, '/save_data_to_orders').optional()
