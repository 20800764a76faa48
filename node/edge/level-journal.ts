/**
 * Reads LevelDB's journal just far enough to tell a torn tail from a sound one, and both from damage within.
 *
 * Blocks of 32 KiB; records of {crc32c: 4, length: 2, type: 1} and data; types full, first, middle, last.
 *
 * @source https://github.com/google/leveldb/blob/main/doc/log_format.md
 */

const blockBytes = 32_768;
const headerBytes = 7;
const full = 1;
const first = 2;
const last = 4;

/** How many bytes at the end of a journal belong to no whole record. */
export function tornBytes(journal: Uint8Array): number {
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
    // A file that was grown ahead of its writes ends in zeros: nothing was torn there.
    if (isZero(journal.subarray(at, at + headerBytes), 0))
      return isZero(journal, at) ? 0 : journal.length - sound;
    const record = recordAt(journal, at);
    if (record === null) break;
    at = record.end;
    if (record.type === full || record.type === last) sound = at;
  }
  return journal.length - sound;
}

/**
 * True when a later write is whole although one before it is not. A crash tears the end of a journal and nothing else:
 * then the disk lost or changed what was written, and LevelDB would skip it without a word.
 */
export function isDamagedWithin(journal: Uint8Array): boolean {
  const sound = journal.length - tornBytes(journal);
  if (sound === journal.length) return false;
  const next = (Math.floor(sound / blockBytes) + 1) * blockBytes;
  for (let block = next; block < journal.length; block += blockBytes) {
    for (let at = block; at < block + blockBytes;) {
      const record = recordAt(journal, at);
      if (record === null) break;
      if (record.type === full || record.type === first) return true;
      at = record.end;
    }
  }
  return false;
}

/** The whole record that begins here, or null. */
function recordAt(journal: Uint8Array, at: number): { readonly type: number; readonly end: number } | null {
  const leftInBlock = blockBytes - (at % blockBytes);
  if (leftInBlock < headerBytes || at + headerBytes > journal.length) return null;
  const view = new DataView(journal.buffer, journal.byteOffset + at, headerBytes);
  const length = view.getUint16(4, true);
  const type = view.getUint8(6);
  const end = at + headerBytes + length;
  if (end > journal.length || type < full || type > last || headerBytes + length > leftInBlock) return null;
  return maskedCrc(journal.subarray(at + 6, end)) === view.getUint32(0, true) ? { type, end } : null;
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
