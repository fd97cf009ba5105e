import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** A length-delimited protobuf field that holds these bytes, one after another: for messages that no encoder writes. */
export function protoField(number: number, ...content: readonly Uint8Array[]): Buffer {
  return Buffer.from(new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(Buffer.concat(content)).finish());
}
