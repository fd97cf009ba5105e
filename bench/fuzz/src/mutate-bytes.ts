import type { Chance } from './chance.ts';

const ODD_BYTES = [0, 1, 0x07, 0x0a, 0x0b, 0x0c, 0x12, 0x7f, 0x80, 0xff];

/** The bytes with one or a few changes that know nothing of what they mean. `other` is what is spliced in. */
export function mutateBytes(chance: Chance, bytes: Buffer, other: Buffer): Buffer {
  let mutant = Buffer.from(bytes);
  for (let left = chance.few(); left > 0; left--) mutant = mutateOnce(chance, mutant, other);
  return mutant;
}

function mutateOnce(chance: Chance, bytes: Buffer, other: Buffer): Buffer<ArrayBuffer> {
  const at = chance.int(bytes.length + 1);
  const [before, behind] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (chance.int(7)) {
    case 0:
      return Buffer.from(before);
    case 1:
      return Buffer.concat([before, chance.bytes(chance.between(1, 12)), behind]);
    case 2:
      return Buffer.concat([before, behind.subarray(chance.between(1, 16))]);
    case 3: {
      const from = chance.int(other.length + 1);
      return Buffer.concat([before, other.subarray(from, from + chance.int(200)), behind]);
    }
    case 4:
      return Buffer.concat([before, before.subarray(-chance.between(1, 64)), behind]);
    default: {
      const changed = Buffer.from(bytes);
      if (at === bytes.length) return changed;
      if (chance.oneIn(2)) changed[at] = changed[at]! ^ (1 << chance.int(8));
      else changed[at] = chance.oneIn(2) ? chance.pick(ODD_BYTES) : chance.int(256);
      return changed;
    }
  }
}
