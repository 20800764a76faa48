/**
 * Reads LevelDB's journal just far enough to tell a torn tail from a sound one.
 *
 * Blocks of 32 KiB; records of {crc32c: 4, length: 2, type: 1} and data; types full, first, middle, last.
 *
 * @source https://github.com/google/leveldb/blob/main/doc/log_format.md
 */

const blockBytes = 32_768;
const headerBytes = 7;
const full = 1;
const last = 4;

/** How many bytes at the end of a journal belong to no whole record. */
export function tornBytes(journal: Uint8Array): number {
  const view = new DataView(journal.buffer, journal.byteOffset, journal.byteLength);
  let at = 0;
  /** Where the last whole write (all of its fragments) ended. */
  let sound = 0;
  while (at < journal.length) {
    const leftInBlock = blockBytes - (at % blockBytes);
    if (leftInBlock < headerBytes) {
      at += leftInBlock;
      if (sound === at - leftInBlock) sound = Math.min(at, journal.length);
      continue;
    }
    if (at + headerBytes > journal.length) break;
    const length = view.getUint16(at + 4, true);
    const type = view.getUint8(at + 6);
    // A file that was grown ahead of its writes ends in zeros: nothing was torn there.
    if (type === 0 && length === 0) return isZero(journal, at) ? 0 : journal.length - sound;
    const end = at + headerBytes + length;
    if (end > journal.length || type > last || headerBytes + length > leftInBlock) break;
    if (maskedCrc(journal.subarray(at + 6, end)) !== view.getUint32(at, true)) break;
    at = end;
    if (type === full || type === last) sound = at;
  }
  return journal.length - sound;
}

function isZero(bytes: Uint8Array, from: number): boolean {
  for (let at = from; at < bytes.length; at += 1) if (bytes[at] !== 0) return false;
  return true;
}

const table = new Uint32Array(256).map((_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

/** CRC-32C, rotated and offset as LevelDB stores it. */
function maskedCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0);
  crc = (crc ^ 0xffffffff) >>> 0;
  return ((((crc >>> 15) | (crc << 17)) >>> 0) + 0xa282ead8) >>> 0;
}
