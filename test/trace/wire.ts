import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** A message by field number: varints as numbers, the rest as bytes. */
export type Message = Map<number, (number | Uint8Array)[]>;

export function decode(bytes: Uint8Array): Message {
  const reader = new BinaryReader(bytes);
  const message: Message = new Map();
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    const value = type === WireType.Varint ? Number(reader.uint64()) : reader.bytes();
    message.set(field, [...(message.get(field) ?? []), value]);
  }
  return message;
}

export const numberOf = (message: Message, field: number) => message.get(field)?.[0] as number;
export const bytesOf = (message: Message, field: number) =>
  (message.get(field) ?? []) as Uint8Array[];
export const textOf = (message: Message, field: number) =>
  new TextDecoder().decode(bytesOf(message, field)[0]);
export const messagesOf = (message: Message, field: number) => bytesOf(message, field).map(decode);
